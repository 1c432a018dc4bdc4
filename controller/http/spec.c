/*
 * spec.c - reads what a route takes, checks bodies by it, writes its schema.
 */
#include "controller/http/spec.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/base/near.h"

#define NAMES_MAX 32

bool
spec_next(const char **text, struct spec *out)
{
	const char *p = *text + strspn(*text, " ");
	size_t len = strcspn(p, " "), name = strcspn(p, ":");

	if (len == 0)
		return false;
	*text = p + len;
	out->required = p[len - 1] == '!';
	snprintf(out->name, sizeof(out->name), "%.*s", (int)name, p);
	snprintf(out->type, sizeof(out->type), "%.*s",
	    (int)(len - name - 1 - out->required), p + name + 1);
	return true;
}

static bool
fits(const char *type, const json_t *v)
{
	const json_t *item;
	size_t i;

	if (strcmp(type, "text") == 0)
		return json_is_string(v);
	if (strcmp(type, "int") == 0)
		return json_is_integer(v);
	if (strcmp(type, "flag") == 0)
		return json_is_boolean(v);
	if (strcmp(type, "object") == 0)
		return json_is_object(v);
	if (strcmp(type, "any") == 0)
		return true;
	if (!json_is_array(v))
		return false;
	if (strcmp(type, "texts") != 0)
		return true;
	json_array_foreach(v, i, item)
		if (!json_is_string(item))
			return false;
	return true;
}

static const char *
type_name(const char *type)
{
	if (strcmp(type, "flag") == 0)
		return "true or false";
	if (strcmp(type, "int") == 0)
		return "a whole number";
	if (strcmp(type, "texts") == 0)
		return "a list of texts";
	return strcmp(type, "object") == 0 ? "an object" :
	    strcmp(type, "list") == 0 ? "a list" : "a text";
}

/* Is name described?  Else why says so, with the nearest one that is. */
static int
known(const char *spec, const char *name, struct diag *why)
{
	const char *names[NAMES_MAX + 1] = { 0 }, *near;
	struct spec s[NAMES_MAX];
	size_t n = 0;

	while (n < NAMES_MAX && spec_next(&spec, &s[n])) {
		if (strcmp(s[n].name, name) == 0)
			return 0;
		names[n] = s[n].name;
		n++;
	}
	near = near_name(name, names);
	return diag_set(why, ERR_INVAL, "\"%.40s\" is not known here%s%s%s",
	    name, near == NULL ? "" : "; is \"", near == NULL ? "" : near,
	    near == NULL ? "" : "\" meant?");
}

int
spec_check(const char *spec, const json_t *body, struct diag *why)
{
	const char *rest = spec, *key;
	struct spec s;
	json_t *v;

	json_object_foreach((json_t *)body, key, v) {
		if (known(spec, key, why) < 0)
			return ERR_INVAL;
	}
	while (spec_next(&rest, &s)) {
		v = json_object_get(body, s.name);
		if (v == NULL && s.required)
			return diag_set(why, ERR_INVAL, "\"%s\" is missing",
			    s.name);
		if (v != NULL && !fits(s.type, v))
			return diag_set(why, ERR_INVAL, "\"%s\" must be %s",
			    s.name, type_name(s.type));
	}
	return 0;
}

json_t *
spec_type_schema(const char *type)
{
	if (strcmp(type, "text") == 0)
		return json_pack("{s:s}", "type", "string");
	if (strcmp(type, "int") == 0)
		return json_pack("{s:s}", "type", "integer");
	if (strcmp(type, "flag") == 0)
		return json_pack("{s:s}", "type", "boolean");
	if (strcmp(type, "object") == 0)
		return json_pack("{s:s}", "type", "object");
	if (strcmp(type, "texts") == 0)
		return json_pack("{s:s, s:{s:s}}", "type", "array", "items",
		    "type", "string");
	if (strcmp(type, "list") == 0)
		return json_pack("{s:s, s:{}}", "type", "array", "items");
	return json_object();
}

json_t *
spec_schema(const char *spec)
{
	json_t *properties = json_object(), *required = json_array(), *o;
	struct spec s;

	while (spec_next(&spec, &s)) {
		json_object_set_new(properties, s.name,
		    spec_type_schema(s.type));
		if (s.required)
			json_array_append_new(required, json_string(s.name));
	}
	o = json_pack("{s:s, s:o}", "type", "object", "properties",
	    properties);
	if (json_array_size(required) > 0)
		json_object_set(o, "required", required);
	json_decref(required);
	return o;
}
