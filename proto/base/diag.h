/*
 * diag.h - a reason for a person, in a fixed buffer that travels up with an
 * error code.  It never allocates; who handles the error logs or prints it.
 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

struct diag {
	char text[768];		/* NUL-terminated, "" when nothing was said */
};

/*
 * Write the formatted reason into why (NULL is allowed: then nothing is
 * written) and return err, so that a caller can say
 * "return diag_set(why, ERR_INVAL, ...)".  Too long a text is cut.
 */
int diag_set(struct diag *why, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "prefix: " before what why says already; returns err. */
int diag_prefix(struct diag *why, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
