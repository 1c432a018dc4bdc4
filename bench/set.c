/*
 * set.c - records of the standard set.
 *
 * No sorting: each name begins with its number in hex of fixed width, so that
 * keys rise as numbers do.  Only groups are sorted, by the hash of their name.
 */
#include "bench/set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/policy/model.h"
#include "proto/policy/record.h"

#define PREFIXES 10
#define FREE_MAIL 100
#define SETTINGS 2
#define LEVELS 4		/* how deep groups are nested */
#define TOPS (SET_GROUPS / LEVELS)	/* groups that nothing holds */
#define WIDE 10			/* policies from External to Internal */

static const char classes[] = "ADEFGIPSU";	/* in key order */

static const char *const names[] = { "ada", "alan", "anna", "barbara",
    "bjarne", "brian", "carla", "dennis", "edith", "emmy", "frances",
    "grace", "hedy", "ida", "jean", "karen", "ken", "lisa", "margaret",
    "mary", "niklaus", "olga", "paul", "radia", "rosa", "sofia", "tim",
    "ursula", "vera", "wilma", "yukihiro", "zoe" };

uint64_t
set_mix(uint64_t a, uint64_t b)
{
	uint64_t z = a + (b + 1) * 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static const char *
name_of(uint64_t h)
{
	return names[h % (sizeof(names) / sizeof(names[0]))];
}

static uint32_t
part(double scale, uint32_t whole, uint32_t least)
{
	double n = scale * whole;

	return n < least ? least : (uint32_t)n;
}

void
set_init(struct set *s, uint64_t seed, double scale, uint32_t policies)
{
	s->seed = seed;
	s->scale = scale;
	s->users = part(scale, 500000, 10);
	s->directory = 2 * s->users;
	s->entries = part(scale, 500000, 400);
	s->domains = part(scale, MODEL_DOMAINS_MAX, 10);
	s->policies = policies != 0 ? policies : part(scale, 20000, 100);
}

static uint32_t
class_size(const struct set *s, uint8_t cls)
{
	switch (cls) {
	case RECORD_AUTHORIZED:
		return PREFIXES;
	case RECORD_DIRECTORY:
		return s->directory;
	case RECORD_ENTRY:
		return s->entries;
	case RECORD_FREE_MAIL:
		return FREE_MAIL;
	case RECORD_GROUP:
		return SET_GROUPS;
	case RECORD_INTERNAL:
		return s->domains;
	case RECORD_POLICY:
		return s->policies;
	case RECORD_SETTING:
		return SETTINGS;
	default:
		return s->users;
	}
}

uint64_t
set_count(const struct set *s)
{
	uint64_t n = 0;
	const char *c;

	for (c = classes; *c != '\0'; c++)
		n += class_size(s, (uint8_t)*c);
	return n + (uint64_t)s->users * (SET_USER_ENTRIES - 1);
}

/* --- names ---------------------------------------------------------------- */

/* As "%0*x" and "%0*u" would, which took half of the time that making the
 * records does; where it ends. */
static inline __attribute__((always_inline)) char *
put_number(char *out, uint32_t v, unsigned width, unsigned base)
{
	char digits[10];
	unsigned n = 0;

	for (; v > 0; v /= base)
		digits[n++] = "0123456789abcdef"[v % base];
	while (width > n) {
		*out++ = '0';
		width--;
	}
	while (n > 0)
		*out++ = digits[--n];
	return out;
}

static void
put_domain(char out[SET_ADDRESS_MAX], uint32_t i)
{
	snprintf(out, SET_ADDRESS_MAX, "d%05u.acme.example", i);
}

static void
put_directory(const struct set *s, uint32_t i, char out[SET_ADDRESS_MAX])
{
	uint64_t h = set_mix(s->seed ^ RECORD_DIRECTORY, i);

	out = put_number(out, i, 6, 16);
	*out++ = '.';
	out = stpcpy(stpcpy(out, name_of(h)), "@d");
	out = put_number(out, (uint32_t)((h >> 16) % s->domains), 5, 10);
	strcpy(out, ".acme.example");
}

static void
put_group(char out[16], uint32_t g)
{
	snprintf(out, 16, "list-%03u", g);
}

static uint64_t
gid_of(uint32_t g)
{
	char name[16];

	put_group(name, g);
	return model_gid(name);
}

void
set_sender(const struct set *s, uint64_t n, bool hit,
    char out[SET_ADDRESS_MAX])
{
	uint64_t h = set_mix(s->seed, n);
	uint32_t first = s->entries / 50;	/* behind the wildcards */

	if (hit)
		snprintf(out, SET_ADDRESS_MAX, "hit.%010llx@e%06x.example",
		    (unsigned long long)n, (first + (uint32_t)(h %
		    (s->entries - first - 1))) & ~1u);
	else
		/* anywhere among the entries that there are */
		snprintf(out, SET_ADDRESS_MAX, "e%06x.%010llx@e%06x.test",
		    (uint32_t)(h >> 32) % s->entries, (unsigned long long)n,
		    (uint32_t)h % s->entries);
}

static void
put_new(char *out, uint64_t n)
{
	snprintf(out, SET_ADDRESS_MAX - 2, "then%08llx.example",
	    (unsigned long long)n);
}

void
set_new_entry(uint64_t n, struct buf *key, struct buf *val)
{
	char domain[SET_ADDRESS_MAX];

	put_new(domain, n);
	record_key_text(key, RECORD_ENTRY, domain);
	buf_put_u64(val, gid_of(0));
}

void
set_new_sender(uint64_t n, char out[SET_ADDRESS_MAX])
{
	memcpy(out, "x@", 3);
	put_new(out + 2, n);
}

void
set_recipient(const struct set *s, uint64_t n, bool in_directory,
    char out[SET_ADDRESS_MAX])
{
	uint64_t h = set_mix(~s->seed, n);

	if (in_directory)
		put_directory(s, (uint32_t)(h % s->directory), out);
	else
		snprintf(out, SET_ADDRESS_MAX,
		    "%06x.new.%s@d%05u.acme.example", (uint32_t)(h >> 40) %
		    s->directory, name_of(h),
		    (uint32_t)((h >> 8) % s->domains));
}

/* --- one record of each class --------------------------------------------- */

static void
make_prefix(struct set_iter *it)
{
	struct ip_prefix p = { .len = 120 };

	p.ip.b[10] = p.ip.b[11] = 0xff;
	p.ip.b[12] = 192;
	p.ip.b[13] = 0;
	p.ip.b[14] = (uint8_t)(it->i + 1);
	record_key_prefix(&it->key, RECORD_AUTHORIZED, &p);
}

static void
make_directory(struct set_iter *it)
{
	char address[SET_ADDRESS_MAX];

	put_directory(it->set, it->i, address);
	record_key_text(&it->key, RECORD_DIRECTORY, address);
	buf_put_u8(&it->val, DIRECTORY_ACTIVE);
	buf_put_u16(&it->val, 0);
}

/* Wildcards first ("*" sorts before), then domains and addresses by turns.
 * One in eight stands in two groups. */
static void
make_entry(struct set_iter *it)
{
	uint64_t h = set_mix(it->set->seed ^ RECORD_ENTRY, it->i);
	uint64_t a = gid_of((uint32_t)(h % SET_GROUPS));
	uint64_t b = gid_of((uint32_t)((h + 1) % SET_GROUPS));
	char text[SET_ADDRESS_MAX];

	if (it->i < it->set->entries / 50)
		snprintf(text, sizeof(text), "*.e%06x.%s", it->i,
		    it->i % 2 == 0 ? "example" : "bulk.example");
	else if (it->i % 2 == 0)
		snprintf(text, sizeof(text), "e%06x.example", it->i);
	else
		snprintf(text, sizeof(text), "e%06x@s%05x.example", it->i,
		    (uint32_t)(h >> 32) & 0xfffff);
	record_key_text(&it->key, RECORD_ENTRY, text);
	if (h >> 61 != 0) {
		buf_put_u64(&it->val, a);
		return;
	}
	buf_put_u64(&it->val, a < b ? a : b);
	buf_put_u64(&it->val, a < b ? b : a);
}

static void
make_group(struct set_iter *it)
{
	uint32_t g = it->order[it->i];
	uint64_t parent = g < TOPS ? 0 : gid_of(g - TOPS);
	char name[16];

	put_group(name, g);
	record_key_gid(&it->key, model_gid(name));
	record_group_encode(&it->val, name, &parent, g < TOPS ? 0 : 1);
}

static char *
text(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* Policies that name no single address: top groups, a few wide ones, then
 * domains. */
static void
make_broad_policy(const struct set *s, uint32_t n, struct policy *p,
    char from[SET_ADDRESS_MAX], struct ip_prefix *ip)
{
	p->from.text = from;
	if (n < TOPS) {
		p->from.kind = TARGET_GROUP;
		put_group(from, n);
	} else if (n < TOPS + WIDE) {
		p->from = (struct target){ .kind = TARGET_EXTERNAL };
		ip->ip.b[10] = ip->ip.b[11] = 0xff;
		ip->ip.b[12] = 203;
		ip->ip.b[14] = 113;
		ip->ip.b[15] = (uint8_t)n;
		ip->len = 128;
		p->ips = ip;
		p->ips_n = 1;
	} else if (n == TOPS + WIDE) {
		p->from = (struct target){ .kind = TARGET_INTERNAL };
		p->type = POLICY_ANTI_SPOOFING;
		p->action = ACTION_APPLY;
	} else {
		p->from.kind = TARGET_DOMAIN;
		snprintf(from, SET_ADDRESS_MAX, "q%05u.example", n);
	}
	if (n % 5 == 4 && p->from.kind == TARGET_DOMAIN) {
		p->to.kind = TARGET_DOMAIN;
		p->to.text = from + SET_ADDRESS_MAX / 2;
		snprintf(p->to.text, SET_ADDRESS_MAX / 2,
		    "d%05u.acme.example", n % s->domains);
	}
}

/* The first quarter names no single address, so that each small number of
 * policies holds all kinds. */
static void
make_policy(struct set_iter *it)
{
	uint32_t broad = it->set->policies / 4, n = it->i;
	char id[16], from[SET_ADDRESS_MAX];
	struct ip_prefix ip = { .len = 0 };
	struct policy p = { .id = id, .narrative = text("Generated"),
	    .type = POLICY_BLOCKED_SENDERS, .action = ACTION_BLOCK,
	    .based_on = BASED_ENVELOPE, .to = { .kind = TARGET_INTERNAL },
	    .enabled = true, .valid_from_us = INT64_MIN,
	    .valid_until_us = INT64_MAX };

	snprintf(id, sizeof(id), "p%05u", n);
	if (n < broad || n < TOPS + WIDE + 1)
		make_broad_policy(it->set, n, &p, from, &ip);
	else {
		p.from = (struct target){ .kind = TARGET_ADDRESS,
		    .text = from };
		snprintf(from, sizeof(from), "p%05u@single%03x.example", n,
		    n % 4096);
		if (n % 8 == 0) {
			p.type = POLICY_PERMITTED_SENDERS;
			p.action = ACTION_PERMIT;
		} else if (n % 8 == 1)
			p.action = ACTION_TAKE_NO_ACTION;
	}
	record_key_text(&it->key, RECORD_POLICY, id);
	policy_encode(&p, &it->val);
}

static void
make_user(struct set_iter *it)
{
	uint64_t h = set_mix(it->set->seed ^ RECORD_USER,
	    (uint64_t)it->i * SET_USER_ENTRIES + it->k);
	char user[SET_ADDRESS_MAX], entry[SET_ADDRESS_MAX], *p;
	uint32_t domain = (uint32_t)(h >> 20) & 0xfffff;

	put_directory(it->set, 2 * it->i, user);
	p = put_number(entry, it->k, 2, 10);
	if (h % 10 < 3)
		*p++ = '-';
	else
		p = stpcpy(stpcpy(p, name_of(h >> 8)), "@s");
	strcpy(put_number(p, domain, 5, 16), ".example");
	record_key_user(&it->key, user, entry);
	buf_put_u8(&it->val, h % 7 < 4 ? USER_BLOCK : h % 7 < 6 ?
	    USER_PERMIT : USER_AUTO);
	buf_put_u32(&it->val, 20000 + (uint32_t)(h >> 44) % 1000);
}

static void
make_setting(struct set_iter *it)
{
	record_key_text(&it->key, RECORD_SETTING, it->i == 0 ?
	    "recipient_delimiter" : "wildcard_depths");
	buf_puts(&it->val, it->i == 0 ? "+" : "2,3");
}

/* --- all of them ---------------------------------------------------------- */

struct numbered { uint64_t gid; uint32_t g; };

static int
by_gid(const void *a, const void *b)
{
	uint64_t x = ((const struct numbered *)a)->gid;
	uint64_t y = ((const struct numbered *)b)->gid;

	return x < y ? -1 : x > y;
}

void
set_iter_init(struct set_iter *it, const struct set *s)
{
	struct numbered by[SET_GROUPS];
	uint32_t g;

	memset(it, 0, sizeof(*it));
	it->set = s;
	it->cls = (uint8_t)classes[0];
	buf_init(&it->key, RECORD_KEY_MAX);
	buf_init(&it->val, RECORD_VALUE_MAX);
	for (g = 0; g < SET_GROUPS; g++)
		by[g] = (struct numbered){ gid_of(g), g };
	qsort(by, SET_GROUPS, sizeof(by[0]), by_gid);
	for (g = 0; g < SET_GROUPS; g++)
		it->order[g] = by[g].g;
}

void
set_iter_fini(struct set_iter *it)
{
	buf_fini(&it->key);
	buf_fini(&it->val);
}

static void
make(struct set_iter *it)
{
	char domain[SET_ADDRESS_MAX];

	switch (it->cls) {
	case RECORD_AUTHORIZED:
		make_prefix(it);
		break;
	case RECORD_DIRECTORY:
		make_directory(it);
		break;
	case RECORD_ENTRY:
		make_entry(it);
		break;
	case RECORD_FREE_MAIL:
		snprintf(domain, sizeof(domain), "free%03u.example", it->i);
		record_key_text(&it->key, RECORD_FREE_MAIL, domain);
		break;
	case RECORD_GROUP:
		make_group(it);
		break;
	case RECORD_INTERNAL:
		put_domain(domain, it->i);
		record_key_text(&it->key, RECORD_INTERNAL, domain);
		buf_put_u8(&it->val, VALIDATE_DEFAULT);
		break;
	case RECORD_POLICY:
		make_policy(it);
		break;
	case RECORD_SETTING:
		make_setting(it);
		break;
	default:
		make_user(it);
	}
}

/* To the next number, and behind the last of a class to the next class. */
static void
step(struct set_iter *it)
{
	if (it->cls == RECORD_USER && ++it->k < SET_USER_ENTRIES)
		return;
	it->k = 0;
	if (++it->i < class_size(it->set, it->cls))
		return;
	it->i = 0;
	it->cls = (uint8_t)strchr(classes, it->cls)[1];
}

bool
set_next(struct set_iter *it, struct bytes *key, struct bytes *val)
{
	if (it->cls == '\0')
		return false;
	buf_reset(&it->key);
	buf_reset(&it->val);
	make(it);
	*key = bytes_of(it->key.data, it->key.len);
	*val = bytes_of(it->val.data == NULL ? "" : it->val.data,
	    it->val.len);
	step(it);
	return true;
}
