/*
 * managed.c - the entries of the recipient's list that name the sender.
 *
 * The form without extension is held against blocks alone; a permit needs an
 * unambiguous sender and recipient, and by the header one for every address.
 */
#include "proto/policy/managed.h"

static int
user_rank(uint8_t flag, uint16_t precision)
{
	return (flag != USER_AUTO) * 100 + precision / 1000 * 10 +
	    (flag == USER_BLOCK ? 2 : flag == USER_PERMIT);
}

static void
user_consider(struct managed_match *best, const struct want_key *k,
    uint8_t flag, bool header)
{
	int rank = user_rank(flag, k->precision);

	if (best->found && rank <= best->rank)
		return;
	*best = (struct managed_match){ true, rank, flag, header, k };
}

/* A permit by the header holds only when every header address has one. */
static bool
headers_all_permitted(struct judging *j)
{
	const struct envelope *e = j->env;
	size_t h, i;

	for (h = 0; h < e->headers_n; h++) {
		bool has = false;

		for (i = j->slot[match_slot(WHO_HEADER, (uint8_t)h)].user;
		    i != 0 && !has; i = j->next[i - 1]) {
			struct bytes v = match_fact(j, i - 1);

			j->steps++;
			has = (bytes_u8(&v) & USER_PERMIT) != 0;
		}
		if (!has || e->headers[h].ambiguous)
			return false;
	}
	return !e->headers_more && !e->rcpt.ambiguous;
}

/* What the entries of one slot say of its address. */
static void
user_slot(struct judging *j, size_t slot, bool header, bool allows,
    struct managed_match *best)
{
	size_t i;

	for (i = j->slot[slot].user; i != 0; i = j->next[i - 1]) {
		const struct want_key *k = &j->keys->key[i - 1];
		struct bytes v = match_fact(j, i - 1);
		uint8_t flags = bytes_u8(&v);

		j->steps++;
		if ((flags & USER_BLOCK) != 0)
			user_consider(best, k, USER_BLOCK, header);
		if (allows && (flags & USER_PERMIT) != 0)
			user_consider(best, k, USER_PERMIT, header);
		if (allows && (flags & USER_AUTO) != 0 && !header)
			user_consider(best, k, USER_AUTO, header);
	}
}

void
managed_best(struct judging *j, bool header, struct managed_match *best)
{
	const struct envelope *e = j->env;
	bool allows;
	size_t h;

	if (!header) {
		allows = !e->sender.ambiguous && !e->rcpt.ambiguous;
		user_slot(j, WHO_SENDER, false, allows, best);
		user_slot(j, WHO_SENDER_BASE, false, false, best);
		return;
	}
	allows = headers_all_permitted(j);
	for (h = 0; h < e->headers_n; h++) {
		user_slot(j, match_slot(WHO_HEADER, (uint8_t)h), true, allows,
		    best);
		user_slot(j, match_slot(WHO_HEADER_BASE, (uint8_t)h), true,
		    false, best);
	}
}
