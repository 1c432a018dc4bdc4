/*
 * err.h - the error codes of every function here, and their text.
 *
 * Functions return 0 or one of these.  Codes of other libraries are turned
 * into these once, where the library is wrapped.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err {
	ERR_NOENT = -1,		/* no such thing; not a fault */
	ERR_EXISTS = -2,	/* it is already there */
	ERR_INVAL = -3,		/* malformed or out of range input */
	ERR_TOOBIG = -4,	/* over a stated limit */
	ERR_CORRUPT = -5,	/* stored or received bytes fail their check */
	ERR_IO = -6,		/* the system refused a read or a write */
	ERR_FULL = -7,		/* no space left on the device */
	ERR_AGAIN = -8,		/* would block; try later */
	ERR_TIMEOUT = -9,	/* the deadline passed */
	ERR_AUTH = -10,		/* not proved, or not allowed */
	ERR_CONFLICT = -11,	/* somebody else holds or changed it */
	ERR_BUSY = -12,		/* another process holds it */
	ERR_UNREACH = -13,	/* no answer from the other side */
	ERR_NOMEM = -14,	/* an outside-sized allocation failed */
	ERR_INTERNAL = -15,	/* our own fault */
	ERR_VERSION = -16,	/* older or unknown version or format */
};

/* A short English text for err, never NULL; for 0 it is "ok". */
const char *err_text(int err);

/* The code for a value of errno; ERR_IO where nothing fits better. */
int err_from_errno(int errnum);

#endif
