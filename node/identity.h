/*
 * identity.h - who this node is and whom it trusts: what enrolment gave it,
 * and the ratchet that lets policy versions only rise.
 *
 * DIR/identity.json (0600) holds the node's id, its CURVE secret, the root
 * key, the controller's endpoints and key, and the newest publisher
 * certificate.  DIR/ratchet holds the highest version ever accepted.
 */
#ifndef NODE_IDENTITY_H
#define NODE_IDENTITY_H

#include <stdint.h>

#include "proto/base/diag.h"
#include "proto/base/sock.h"
#include "proto/wire/keys.h"

struct node_identity {
	char id[64];
	uint8_t secret[SOCK_KEY_LEN];		/* ours, CURVE */
	uint8_t server_key[SOCK_KEY_LEN];
	uint8_t root[SIGN_PUBLIC_LEN];
	char control[128], events[128];		/* endpoints */
	uint8_t cert[512];			/* a FRAME_CERT */
	size_t cert_len;
};

/* Zeroed, in memory of sodium_malloc(). */
struct node_identity *identity_new(void);
void identity_free(struct node_identity **id);

/* 0; ERR_NOENT: not enrolled yet; ERR_CORRUPT, ERR_AUTH (others may read the
 * file), ERR_IO. */
int identity_load(struct node_identity *out, const char *dir, struct diag *why);
int identity_save(const struct node_identity *id, const char *dir,
    struct diag *why);

/* The highest version accepted; 0 when none ever.  0, ERR_CORRUPT, ERR_IO. */
int ratchet_load(const char *dir, uint64_t *version, struct diag *why);
/* Durable on return.  0, ERR_FULL, ERR_IO. */
int ratchet_save(const char *dir, uint64_t version, struct diag *why);

#endif
