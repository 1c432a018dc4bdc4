/*
 * err.c - the text of error codes, and errno mapped to them.
 */
#include "proto/base/err.h"

#include <errno.h>

const char *
err_text(int err)
{
	switch (err) {
	case 0: return "ok";
	case ERR_NOENT: return "not found";
	case ERR_EXISTS: return "already exists";
	case ERR_INVAL: return "invalid";
	case ERR_TOOBIG: return "over the limit";
	case ERR_CORRUPT: return "damaged";
	case ERR_IO: return "input or output failed";
	case ERR_FULL: return "no space left";
	case ERR_AGAIN: return "not now";
	case ERR_TIMEOUT: return "timed out";
	case ERR_AUTH: return "not allowed";
	case ERR_CONFLICT: return "conflict";
	case ERR_BUSY: return "in use";
	case ERR_UNREACH: return "unreachable";
	case ERR_NOMEM: return "out of memory";
	case ERR_INTERNAL: return "internal fault";
	case ERR_VERSION: return "version or format not supported";
	default: return "unknown error";
	}
}

int
err_from_errno(int errnum)
{
	switch (errnum) {
	case 0: return 0;
	case ENOENT: case ENOTDIR: return ERR_NOENT;
	case EEXIST: return ERR_EXISTS;
	case EINVAL: case ENAMETOOLONG: return ERR_INVAL;
	case EFBIG: case E2BIG: return ERR_TOOBIG;
	case ENOSPC: case EDQUOT: return ERR_FULL;
	case EAGAIN: case EINTR: return ERR_AGAIN;
	case ETIMEDOUT: return ERR_TIMEOUT;
	case EACCES: case EPERM: case EROFS: return ERR_AUTH;
	case EADDRINUSE: case EBUSY: return ERR_BUSY;
	case ECONNREFUSED: case EHOSTUNREACH: case ENETUNREACH:
		return ERR_UNREACH;
	case ENOMEM: return ERR_NOMEM;
	default: return ERR_IO;
	}
}
