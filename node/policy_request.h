/*
 * policy_request.h - one request of the Postfix policy delegation protocol
 * (SMTPD_POLICY_README): "name=value" lines and an empty line.
 *
 * Pure, no I/O.  Names come in any order, unknown ones are ignored.  A value
 * runs to the end of its line; local parts stand in it unquoted.
 */
#ifndef NODE_POLICY_REQUEST_H
#define NODE_POLICY_REQUEST_H

#include <stddef.h>

#include "node/question.h"
#include "proto/base/diag.h"

#define POLICY_REQUEST_MAX (64 * 1024)	/* bytes of one request */
#define POLICY_REPLY_MAX 512		/* bytes of one answer */

/* Values are borrowed from the connection's buffer. */
struct policy_request {
	struct value request, protocol_state, sender, recipient,
	    client_address, client_name, reverse_client_name, helo_name,
	    instance, queue_id, sasl_username, sasl_method, policy_context,
	    size, server_port;
};

/* How far a connection's buffer was looked through: start at zero, keep it
 * while bytes are added, zero it again after each whole request. */
struct policy_parser { size_t scanned; };

/*
 * Look for one whole request at data.  0: *used bytes make *out, which points
 * into data.  ERR_AGAIN: more bytes are needed (the work is linear in the
 * bytes, however they come).  ERR_TOOBIG: no end within POLICY_REQUEST_MAX.
 * ERR_INVAL: a line without "=", an empty name, a NUL or CR, a first reading
 * of an attribute that a second contradicts, or no
 * "request=smtpd_access_policy": send nothing and close.
 */
int policy_request_parse(struct policy_parser *p, const char *data,
    size_t len, struct policy_request *out, size_t *used, struct diag *why);

/*
 * Write "action=ACTION", newline, empty line into out; control bytes in
 * action become "?" and it is cut to fit.  Returns the length.
 */
size_t policy_reply_format(char out[POLICY_REPLY_MAX], const char *action);

#endif
