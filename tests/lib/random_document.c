/*
 * random_document.c - a model as a document, as records; a message as an
 * envelope and as a line; and what makes a failing case small.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/policy/document.h"
#include "controller/policy/records_impl.h"
#include "proto/base/err.h"
#include "proto/policy/record.h"
#include "tests/lib/random_case.h"

static void
write_prefixes(const char *name, const struct ip_prefix *p, size_t n,
    struct buf *out)
{
	char text[IP_TEXT_LEN];
	bool again;
	size_t i, k;

	if (n == 0)
		return;
	buf_printf(out, "%s: [", name);
	for (i = 0; i < n; i++) {
		for (k = 0, again = false; k < i; k++)
			again |= memcmp(&p[k], &p[i], sizeof(*p)) == 0;
		ip_prefix_format(&p[i], text);
		if (!again)
			buf_printf(out, "%s\"%s\"", i > 0 ? ", " : "", text);
	}
	buf_puts(out, "]");
}

static void
write_target(const char *side, const struct oracle_target *t, struct buf *out)
{
	const char *name = target_kind_name(t->kind);

	buf_printf(out, ", %s: ", side);
	if (t->kind <= TARGET_FREE_MAIL)
		buf_puts(out, name);
	else if (t->kind == TARGET_ATTRIBUTE)
		buf_printf(out, "{%s: {\"%s\": \"%s\"}}", name, t->text,
		    t->value);
	else
		buf_printf(out, "{%s: \"%s\"}", name, t->text);
}

static void
write_instant(const char *name, int64_t us, struct buf *out)
{
	time_t seconds = us / 1000000;
	struct tm tm;
	char text[40];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_printf(out, "%s: \"%s\"", name, text);
}

static void
write_policy(const struct oracle_policy *p, struct buf *out)
{
	size_t i;

	buf_printf(out, "  - {id: %s, type: %s, narrative: n, action: %s, "
	    "addresses_based_on: %s", p->id, policy_type_name(p->type),
	    policy_action_name(p->action), identity_name(p->based_on));
	write_target("from", &p->from, out);
	write_target("to", &p->to, out);
	if (p->override)
		buf_puts(out, ", override: true");
	if (p->bidirectional)
		buf_puts(out, ", bidirectional: true");
	if (!p->enabled)
		buf_puts(out, ", enabled: false");
	if (p->monitor)
		buf_puts(out, ", monitor: true");
	if (p->ips_n > 0)
		buf_puts(out, ", ");
	write_prefixes("source_ips", p->ips, p->ips_n, out);
	for (i = 0; i < p->hosts_n; i++)
		buf_printf(out, "%s\"%s\"%s", i == 0 ? ", hostnames: [" :
		    ", ", p->hosts[i], i + 1 == p->hosts_n ? "]" : "");
	if (p->has_from || p->has_until)
		buf_puts(out, ", valid: {");
	if (p->has_from)
		write_instant("from", p->from_us, out);
	if (p->has_from && p->has_until)
		buf_puts(out, ", ");
	if (p->has_until)
		write_instant("until", p->until_us, out);
	buf_puts(out, p->has_from || p->has_until ? "}}\n" : "}\n");
}

static void
write_organisation(const struct oracle_model *m, struct buf *out)
{
	static const char *const modes[] = { "", "any", "known", "defer" };
	size_t i;

	buf_puts(out, "organization:\n  internal_domains:\n");
	for (i = 0; i < m->domains_n; i++) {
		buf_printf(out, "    - {domain: \"%s\"", m->domain[i].name);
		if (m->domain[i].mode != VALIDATE_DEFAULT)
			buf_printf(out, ", recipient_validation: %s",
			    modes[m->domain[i].mode]);
		buf_puts(out, "}\n");
	}
	buf_printf(out, "  recipient_validation: %s\n  ",
	    modes[m->validation]);
	write_prefixes("authorized_outbound", m->authorized, m->authorized_n,
	    out);
	buf_puts(out, "\n  ");
	write_prefixes("trusted_relays", m->trusted, m->trusted_n, out);
	if (m->delimiters[0] != '\0')
		buf_printf(out, "\n  recipient_delimiter: \"%s\"",
		    m->delimiters);
	buf_puts(out, "\n  free_mail_domains: [");
	for (i = 0; i < m->free_mail_n; i++)
		buf_printf(out, "%s\"%s\"", i > 0 ? ", " : "",
		    m->free_mail[i]);
	buf_puts(out, "]\n  protected_recipients: [");
	for (i = 0; i < m->protect_n; i++)
		buf_printf(out, "%s\"%s\"", i > 0 ? ", " : "",
		    m->protect[i]);
	buf_puts(out, "]\n");
	if (m->own_paths)
		buf_printf(out, "  return_paths: [%s%s%s]\n",
		    m->paths_n > 0 ? "\"" : "", m->paths_n > 0 ? m->path[0] :
		    "", m->paths_n > 0 ? "\"" : "");
}

static void
write_groups(const struct oracle_model *m, struct buf *out)
{
	size_t i, k, j;

	buf_puts(out, m->groups_n > 0 ? "groups:\n" : "");
	for (i = 0; i < m->groups_n; i++) {
		const struct oracle_group *g = &m->group[i];
		const char *comma = "";

		buf_printf(out, "  \"%s\": [", g->name);
		for (k = 0; k < g->entries_n; k++) {
			for (j = 0; j < k; j++) {
				if (strcmp(g->entry[j], g->entry[k]) == 0)
					break;
			}
			if (j < k)
				continue;
			buf_printf(out, "%s\"%s\"", comma, g->entry[k]);
			comma = ", ";
		}
		for (k = 0; k < g->children_n; k++) {
			if (g->child[k] <= i)
				continue;	/* see random_compile() */
			buf_printf(out, "%s{group: \"%s\"}", comma,
			    m->group[g->child[k]].name);
			comma = ", ";
		}
		buf_puts(out, "]\n");
	}
}

static void
write_people(const struct oracle_model *m, struct buf *out)
{
	size_t i, k;

	buf_puts(out, m->people_n > 0 ? "directory:\n" : "");
	for (i = 0; i < m->people_n; i++) {
		const struct oracle_person *p = &m->person[i];

		buf_printf(out, "  - {address: \"%s\"", p->address);
		for (k = 0; k < p->aliases_n; k++)
			buf_printf(out, "%s\"%s\"%s", k == 0 ? ", aliases: [" :
			    ", ", p->alias[k], k + 1 == p->aliases_n ? "]" :
			    "");
		if (p->attribute[0] != '\0')
			buf_printf(out, ", attributes: {\"%s\": \"%s\"}",
			    p->attribute, p->value);
		buf_puts(out, p->disabled ? ", enabled: false}\n" : "}\n");
	}
	buf_puts(out, m->senders_n > 0 ? "managed_senders:\n" : "");
	for (i = 0; i < m->senders_n; i++) {
		const char *user = m->sender[i].user;

		for (k = 0; k < i; k++) {
			if (strcmp(m->sender[k].user, user) == 0)
				break;
		}
		if (k < i)
			continue;	/* written with the first */
		buf_printf(out, "  \"%s\":\n", user);
		for (k = i; k < m->senders_n; k++) {
			const struct oracle_sender *s = &m->sender[k];

			if (strcmp(s->user, user) == 0)
				buf_printf(out, "    - {%s: \"%s\"}\n",
				    s->block ? "block" : s->permit ?
				    "permit" : "auto", s->entry);
		}
	}
}

void
random_document(const struct oracle_model *m, struct buf *out)
{
	size_t i;

	write_organisation(m, out);
	write_groups(m, out);
	write_people(m, out);
	buf_puts(out, m->policies_n > 0 ? "policies:\n" : "");
	for (i = 0; i < m->policies_n; i++)
		write_policy(&m->policy[i], out);
}

void
random_describe(const struct oracle_message *msg, struct buf *out)
{
	char ip[IP_TEXT_LEN] = "none";
	size_t i;

	if (msg->has_ip)
		ip_format(&msg->ip, ip);
	buf_printf(out, "from <%s>%s%s to <%s>%s%s ip %s host \"%s\"%s%s ",
	    msg->sender.text, msg->sender.ambiguous ? " ambiguous" : "",
	    msg->sender_bad ? " bad" : "", msg->rcpt.text,
	    msg->rcpt.ambiguous ? " ambiguous" : "",
	    msg->rcpt_bad ? " bad" : "", ip, msg->host,
	    msg->authenticated ? " authenticated" : "",
	    msg->greylist_new ? " greylist new" : "");
	write_instant("at", msg->now_us, out);
	buf_printf(out, " (%d us) header", (int)(msg->now_us % 1000000));
	for (i = 0; msg->has_header && i < msg->headers_n; i++)
		buf_printf(out, " <%s>%s", msg->header[i].text,
		    msg->header[i].ambiguous ? " ambiguous" : "");
	buf_printf(out, "%s name \"%s\"\n", msg->has_header ? "" : " absent",
	    msg->header_name);
}

static void
group_value(const struct oracle_model *m, size_t i, struct buf *val)
{
	uint64_t parent[ORACLE_GROUPS];
	size_t n = 0, k, j;

	for (k = 0; k < m->groups_n; k++) {
		uint64_t gid = model_gid(m->group[k].name);

		for (j = 0; j < m->group[k].children_n; j++) {
			if (m->group[k].child[j] == i)
				break;
		}
		if (j == m->group[k].children_n)
			continue;
		for (j = n++; j > 0 && parent[j - 1] > gid; j--)
			parent[j] = parent[j - 1];
		parent[j] = gid;
	}
	record_group_encode(val, m->group[i].name, parent, n);
}

/* Write the records of all groups anew, with every edge of the model. */
static int
put_cycles(const struct oracle_model *m, struct records *records,
    struct diag *why)
{
	struct small_records *old = records->small, *new = small_new();
	struct buf key, val;
	size_t i, k;

	buf_init(&key, 0);
	buf_init(&val, 0);
	for (i = 0; i < old->n; i++) {
		const struct small_record *r = old->r[i];

		if (r->data[0] == RECORD_GROUP)
			continue;
		buf_reset(&key);
		buf_reset(&val);
		buf_put(&key, r->data, r->key_len);
		buf_put(&val, r->data + r->key_len, r->val_len);
		small_add(new, &key, &val);
	}
	for (k = 0; k < m->groups_n; k++) {
		buf_reset(&key);
		buf_reset(&val);
		record_key_gid(&key, model_gid(m->group[k].name));
		group_value(m, k, &val);
		small_add(new, &key, &val);
	}
	buf_fini(&key);
	buf_fini(&val);
	small_unref(&records->small);
	records->small = new;
	return small_load(new, why);
}

static bool
has_cycles(const struct oracle_model *m)
{
	size_t i, k;

	for (i = 0; i < m->groups_n; i++) {
		for (k = 0; k < m->group[i].children_n; k++) {
			if (m->group[i].child[k] <= i)
				return true;
		}
	}
	return false;
}

int
random_compile(const struct oracle_model *m, struct items *items,
    struct records *records, struct diag *why)
{
	struct document doc = { .name = "random.yaml" };
	struct buf text;
	int rc;

	buf_init(&text, 0);
	random_document(m, &text);
	doc.text = text.data;
	doc.len = text.len;
	items_init(items);
	rc = document_read(&doc, 1, NULL, NULL, items, why);
	if (rc == 0)
		rc = compile(items, records, why);
	if (rc == 0 && has_cycles(m) &&
	    (rc = put_cycles(m, records, why)) < 0)
		records_fini(records);
	if (rc < 0)
		items_fini(items);
	buf_fini(&text);
	return rc;
}

static void
parse(const struct oracle_address *a, struct addr *out)
{
	int rc = addr_parse(out, a->text, strlen(a->text), ADDR_TEXT, NULL);

	assert(rc == 0 && strcmp(out->text, a->text) == 0);
	out->ambiguous = a->ambiguous;
}

void
random_fill(const struct oracle_message *msg, struct random_envelope *out)
{
	struct envelope *e = &out->env;
	size_t i;

	memset(e, 0, sizeof(*e));
	e->sender_bad = msg->sender_bad;
	if (!msg->sender_bad)
		parse(&msg->sender, &e->sender);
	e->rcpt_bad = msg->rcpt_bad;
	if (!msg->rcpt_bad)
		parse(&msg->rcpt, &e->rcpt);
	e->has_ip = msg->has_ip;
	e->ip = msg->ip;
	e->host = msg->host[0] == '\0' ? NULL : msg->host;
	e->authenticated = msg->authenticated;
	e->greylist = msg->greylist_new ? GREYLIST_NEW : GREYLIST_PASSED;
	e->header_name = msg->header_name[0] == '\0' ? NULL :
	    msg->header_name;
	if (!msg->has_header)
		return;
	e->headers = out->header;
	e->header_base = out->header_base;
	e->headers_more = msg->headers_n > DECIDE_HEADERS_MAX;
	e->headers_n = e->headers_more ? DECIDE_HEADERS_MAX : msg->headers_n;
	for (i = 0; i < e->headers_n; i++)
		parse(&msg->header[i], &out->header[i]);
}
