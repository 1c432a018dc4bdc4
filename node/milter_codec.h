/*
 * milter_codec.h - the milter protocol, version 6 and what is below it, as
 * bytes: a mail server's commands in, our answers out.
 *
 *	u32 length, command byte, length - 1 bytes of data
 *
 * Numbers are big-endian.  Pure, no I/O.  Every length and every NUL is
 * checked; what does not hold is ERR_INVAL, and the connection ends.
 */
#ifndef NODE_MILTER_CODEC_H
#define NODE_MILTER_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "node/question.h"
#include "proto/base/buf.h"
#include "proto/base/diag.h"

#define MILTER_FRAME_MAX (64 * 1024 * 1024)	/* longer: no milter peer */
#define MILTER_KEEP_MAX (64 * 1024)	/* looked at; the rest is passed over */
#define MILTER_ARGS_MAX 64		/* of MAIL and RCPT */

enum milter_command {
	MILTER_OPTNEG = 'O', MILTER_MACRO = 'D', MILTER_CONNECT = 'C',
	MILTER_HELO = 'H', MILTER_MAIL = 'M', MILTER_RCPT = 'R',
	MILTER_DATA = 'T', MILTER_HEADER = 'L', MILTER_EOH = 'N',
	MILTER_BODY = 'B', MILTER_EOB = 'E', MILTER_ABORT = 'A',
	MILTER_QUIT = 'Q', MILTER_QUIT_NC = 'K', MILTER_UNKNOWN = 'U'
};

/* Actions and steps of the negotiation, as both sides write them. */
enum { MILTER_ADD_HEADERS = 0x1, MILTER_DELETE_RCPT = 0x8,
    MILTER_CHANGE_HEADERS = 0x10, MILTER_SET_MACROS = 0x100 };
enum { MILTER_NO_BODY = 0x10, MILTER_NO_HEADERS = 0x20,
    MILTER_NO_EOH = 0x40, MILTER_SILENT_HEADERS = 0x80,
    MILTER_NO_UNKNOWN = 0x100, MILTER_NO_DATA = 0x200,
    MILTER_REFUSED_RCPT = 0x800, MILTER_SILENT_CONNECT = 0x1000,
    MILTER_SILENT_HELO = 0x2000 };

struct milter_frame {
	uint8_t command;
	const char *data;	/* borrowed from the connection's buffer */
	size_t len;
	bool cut;		/* only the first MILTER_KEEP_MAX bytes */
};

/* Start at zero. */
struct milter_parser { uint64_t skip; };

/*
 * Look for one frame at data.  0: *used bytes make *out.  ERR_AGAIN: more
 * bytes are needed; *used of these are done with.  ERR_INVAL: length 0.
 * ERR_TOOBIG: longer than MILTER_FRAME_MAX.
 */
int milter_parse(struct milter_parser *p, const char *data, size_t len,
    struct milter_frame *out, size_t *used, struct diag *why);

struct milter_options { uint32_t version, actions, steps; };
struct milter_connect { struct value name, address; };
struct milter_header { struct value name, value; };
struct milter_args { size_t n; struct value arg[MILTER_ARGS_MAX]; };
/* Name and value; the name without braces. */
typedef void (*milter_macro_fn)(void *arg, struct value name,
    struct value text);

/* The data of each command.  0 or ERR_INVAL, why says what is wrong.  Values
 * are borrowed from the frame. */
int milter_options_read(const struct milter_frame *f,
    struct milter_options *out, struct diag *why);
/* address has p NULL where it is not of IPv4 or IPv6. */
int milter_connect_read(const struct milter_frame *f,
    struct milter_connect *out, struct diag *why);
/* MAIL and RCPT: the address and its parameters, at least the first. */
int milter_args_read(const struct milter_frame *f, struct milter_args *out,
    struct diag *why);
/* HELO, UNKNOWN: one text. */
int milter_text_read(const struct milter_frame *f, struct value *out,
    struct diag *why);
/* A header that was cut has the first part of its value. */
int milter_header_read(const struct milter_frame *f,
    struct milter_header *out, struct diag *why);
/* Each macro in turn; the first byte is the command they come before. */
int milter_macros_read(const struct milter_frame *f, milter_macro_fn fn,
    void *arg, struct diag *why);
/* DATA, EOH, ABORT, QUIT, QUIT_NC: nothing at all. */
int milter_nothing_read(const struct milter_frame *f, struct diag *why);

/* Append an answer. */
void milter_put_continue(struct buf *out);
/* Ask for these, and for the macros that we read. */
void milter_put_options(struct buf *out, const struct milter_options *o);
/* "550 5.7.1 text"; a % is written as the protocol wants it. */
void milter_put_reply(struct buf *out, int code, const char *enhanced,
    const char *text);
void milter_put_delete_rcpt(struct buf *out, struct value rcpt);
void milter_put_add_header(struct buf *out, const char *name,
    const char *value);
/* Take out the index-th header of this name, from 1. */
void milter_put_delete_header(struct buf *out, const char *name,
    uint32_t index);

#endif
