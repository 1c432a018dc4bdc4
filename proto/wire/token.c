/*
 * token.c - join tokens as one line of text.
 *
 * Behind the prefix, URL-safe base64 of: u8 endpoint length, endpoint, 32
 * server key, 32 root hash, 16 secret, i64 expiry, and the first 4 bytes of
 * BLAKE2b-256 of all before, so that a token cut off in a paste is told from
 * a wrong one.
 */
#include <sodium.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/wire/keys.h"

#define PREFIX "postern-join-1."
#define CHECK_LEN 4
#define RAW_MAX 512

static void
check_of(const void *data, size_t len, uint8_t out[CHECK_LEN])
{
	uint8_t h[32];

	crypto_generichash(h, sizeof(h), data, len, NULL, 0);
	memcpy(out, h, CHECK_LEN);
}

void
token_format(const struct join_token *t, struct buf *out)
{
	char text[RAW_MAX * 2];
	uint8_t check[CHECK_LEN];
	struct buf raw;

	buf_init(&raw, RAW_MAX);
	buf_put_u8(&raw, (uint8_t)strlen(t->endpoint));
	buf_puts(&raw, t->endpoint);
	buf_put(&raw, t->server_key, sizeof(t->server_key));
	buf_put(&raw, t->root_hash, sizeof(t->root_hash));
	buf_put(&raw, t->secret, sizeof(t->secret));
	buf_put_u64(&raw, (uint64_t)t->expires_us);
	check_of(raw.data, raw.len, check);
	buf_put(&raw, check, sizeof(check));
	sodium_bin2base64(text, sizeof(text), (const uint8_t *)raw.data,
	    raw.len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	buf_puts(out, PREFIX);
	buf_puts(out, text);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(raw.data, raw.cap);
	buf_fini(&raw);
}

static void
copy(struct bytes *in, void *out, size_t len)
{
	const uint8_t *p = bytes_take(in, len);

	if (p != NULL)
		memcpy(out, p, len);
}

int
token_parse(const char *text, struct join_token *out, struct diag *why)
{
	uint8_t raw[RAW_MAX], check[CHECK_LEN];
	struct bytes in;
	size_t n = 0;
	uint8_t len;

	memset(out, 0, sizeof(*out));
	if (strncmp(text, PREFIX, strlen(PREFIX)) != 0)
		return diag_set(why, ERR_INVAL, "a join token begins with \""
		    PREFIX "\": make one with \"postern node join-token\"");
	text += strlen(PREFIX);
	if (sodium_base642bin(raw, sizeof(raw), text, strlen(text), " \r\n",
	    &n, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    n <= CHECK_LEN)
		return diag_set(why, ERR_INVAL, "the join token is damaged: "
		    "copy it again as a whole");
	n -= CHECK_LEN;
	check_of(raw, n, check);
	if (memcmp(check, raw + n, CHECK_LEN) != 0)
		return diag_set(why, ERR_INVAL, "the join token is cut off "
		    "or damaged: copy it again as a whole");
	in = bytes_of(raw, n);
	len = bytes_u8(&in);
	if (len < sizeof(out->endpoint))
		copy(&in, out->endpoint, len);
	copy(&in, out->server_key, sizeof(out->server_key));
	copy(&in, out->root_hash, sizeof(out->root_hash));
	copy(&in, out->secret, sizeof(out->secret));
	out->expires_us = (int64_t)bytes_u64(&in);
	sodium_memzero(raw, sizeof(raw));
	if (in.err == 0 && in.n == 0)
		return 0;
	memset(out, 0, sizeof(*out));
	return diag_set(why, ERR_INVAL, "the join token is malformed");
}
