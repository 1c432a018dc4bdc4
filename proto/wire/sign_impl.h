/*
 * sign_impl.h - the secret half of a key, for frame.c and signer.c alone.
 */
#ifndef WIRE_SIGN_IMPL_H
#define WIRE_SIGN_IMPL_H

#include "proto/wire/keys.h"

/* crypto_sign_SECRETKEYBYTES bytes, borrowed; never copied out of it. */
const uint8_t *sign_key_secret(const struct sign_key *k);

/* From hex text.  0, ERR_CORRUPT, ERR_NOMEM. */
int sign_key_parse(struct sign_key **out, const char *hex);

#endif
