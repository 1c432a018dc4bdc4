/*
 * document.c - records of the standard set back into words.
 */
#include "bench/document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/base/file.h"
#include "proto/policy/record.h"

struct files {
	FILE *yaml, *policies, *directory, *senders;
	FILE *list[SET_GROUPS];
	uint64_t gid[SET_GROUPS];
	char name[SET_GROUPS][32];
	size_t parent[SET_GROUPS];	/* number + 1; 0: none */
	size_t groups_n;
};

static FILE *
open_in(const char *dir, const char *name, const char *mode)
{
	char path[1200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return fopen(path, mode);
}

static size_t
group_at(const struct files *f, uint64_t gid)
{
	size_t i;

	for (i = 0; i < f->groups_n; i++) {
		if (f->gid[i] == gid)
			return i;
	}
	return 0;
}

/* Names first, as entries come before groups. */
static int
take_groups(const struct set *s, struct files *f, const char *dir)
{
	struct bytes key, val;
	struct set_iter it;
	char file[64];

	set_iter_init(&it, s);
	while (set_next(&it, &key, &val)) {
		uint16_t len;

		if (bytes_u8(&key) != RECORD_GROUP)
			continue;
		f->gid[f->groups_n] = bytes_u64(&key);
		len = bytes_u16(&val);
		memcpy(f->name[f->groups_n], bytes_take(&val, len), len);
		snprintf(file, sizeof(file), "%s.txt", f->name[f->groups_n]);
		if ((f->list[f->groups_n] = open_in(dir, file, "w")) == NULL)
			return ERR_IO;
		f->groups_n++;
	}
	set_iter_fini(&it);
	return 0;
}

static const char *
text_of(const struct bytes *b)
{
	return (const char *)b->p;
}

static void
put_target(FILE *f, const char *side, const struct target *t)
{
	if (t->text == NULL)
		fprintf(f, "    %s: %s\n", side, target_kind_name(t->kind));
	else
		fprintf(f, "    %s: {%s: \"%s\"}\n", side,
		    target_kind_name(t->kind), t->text);
}

static int
put_policy(FILE *f, const char *id, struct bytes val)
{
	char ip[IP_TEXT_LEN];
	struct policy p;

	if (policy_decode(&p, id, val, NULL) < 0)
		return ERR_CORRUPT;
	fprintf(f, "  - id: %s\n    type: %s\n    narrative: %s\n"
	    "    action: %s\n", id, policy_type_name(p.type), p.narrative,
	    policy_action_name(p.action));
	put_target(f, "from", &p.from);
	put_target(f, "to", &p.to);
	if (p.ips_n > 0) {
		ip_format(&p.ips[0].ip, ip);
		fprintf(f, "    source_ips: [%s]\n", ip);
	}
	policy_fini(&p);
	return 0;
}

static void
put_user(FILE *f, const struct bytes *key, struct bytes val)
{
	const char *user = text_of(key), *entry = user + strlen(user) + 1;

	fprintf(f, "%s,%s,%.*s\n", user, (bytes_u8(&val) & USER_BLOCK) != 0 ?
	    "block" : "permit", (int)(text_of(key) + key->n - entry), entry);
}

static int
put_record(struct files *f, struct bytes key, struct bytes val)
{
	uint8_t cls = bytes_u8(&key);
	char id[MODEL_ID_MAX + 1];

	switch (cls) {
	case RECORD_DIRECTORY:
		fprintf(f->directory, "%.*s\n", (int)key.n, text_of(&key));
		break;
	case RECORD_ENTRY:
		fprintf(f->list[group_at(f, bytes_u64(&val))], "%.*s\n",
		    (int)key.n, text_of(&key));
		break;
	case RECORD_GROUP:
		bytes_take(&val, bytes_u16(&val));
		if (bytes_u16(&val) > 0)
			f->parent[group_at(f, bytes_u64(&key))] =
			    group_at(f, bytes_u64(&val)) + 1;
		break;
	case RECORD_INTERNAL:
		fprintf(f->yaml, "    - %.*s\n", (int)key.n, text_of(&key));
		break;
	case RECORD_POLICY:
		snprintf(id, sizeof(id), "%.*s", (int)key.n, text_of(&key));
		return put_policy(f->policies, id, val);
	case RECORD_USER:
		put_user(f->senders, &key, val);
		break;
	default:
		break;
	}
	return 0;
}

static void
put_groups(struct files *f)
{
	size_t i, k;

	fputs("groups:\n", f->yaml);
	for (i = 0; i < f->groups_n; i++) {
		fprintf(f->yaml, "  %s:\n    - {file: %s.txt}\n", f->name[i],
		    f->name[i]);
		for (k = 0; k < f->groups_n; k++) {
			if (f->parent[k] == i + 1)
				fprintf(f->yaml, "    - {group: %s}\n",
				    f->name[k]);
		}
	}
}

/* False when something could not be written. */
static bool
close_file(FILE **f)
{
	bool good = *f == NULL || (!ferror(*f) && fflush(*f) == 0);

	if (*f != NULL)
		fclose(*f);
	*f = NULL;
	return good;
}

static int
close_all(struct files *f)
{
	bool good = close_file(&f->yaml) & close_file(&f->policies) &
	    close_file(&f->directory) & close_file(&f->senders);
	size_t i;

	for (i = 0; i < f->groups_n; i++)
		good &= close_file(&f->list[i]);
	return good ? 0 : ERR_IO;
}

static int
write_all(const struct set *s, struct files *f, const char *dir)
{
	struct bytes key, val;
	struct set_iter it;
	int rc, c;

	if ((f->yaml = open_in(dir, "policy.yaml", "w")) == NULL ||
	    (f->policies = open_in(dir, "policies.part", "w+")) == NULL ||
	    (f->directory = open_in(dir, "directory.csv", "w")) == NULL ||
	    (f->senders = open_in(dir, "senders.csv", "w")) == NULL)
		return ERR_IO;
	if ((rc = take_groups(s, f, dir)) < 0)
		return rc;
	fputs("organization:\n  recipient_delimiter: \"+\"\n"
	    "  internal_domains:\n", f->yaml);
	fputs("address\n", f->directory);
	set_iter_init(&it, s);
	while (rc == 0 && set_next(&it, &key, &val))
		rc = put_record(f, key, val);
	set_iter_fini(&it);
	put_groups(f);
	fputs("policies:\n", f->yaml);
	rewind(f->policies);
	while ((c = getc(f->policies)) != EOF)
		putc(c, f->yaml);
	return rc;
}

int
document_write(const struct set *s, const char *dir, struct diag *why)
{
	struct files *f = xcalloc(1, sizeof(*f));
	int rc = file_mkdirs(dir, 0700, why), closed;

	if (rc == 0 && (rc = write_all(s, f, dir)) < 0)
		diag_set(why, rc, "cannot write to %s: %s", dir,
		    strerror(errno));
	closed = close_all(f);
	free(f);
	return rc < 0 ? rc : closed < 0 ? diag_set(why, closed,
	    "cannot write to %s", dir) : 0;
}
