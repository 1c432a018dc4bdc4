/*
 * api_openapi.c - the API described by its own route table, as OpenAPI 3.
 */
#include <stdio.h>
#include <string.h>

#include "controller/http/api.h"
#include "controller/http/spec.h"
#include "proto/base/conf.h"

/* The "{name}" of a path, and what the query may hold. */
static json_t *
parameters(const struct api_route *r)
{
	json_t *list = json_array();
	const char *at = strchr(r->path, '{'), *query = r->query;
	struct spec s;

	if (at != NULL)
		json_array_append_new(list, json_pack("{s:o, s:s, s:b, "
		    "s:{s:s}}", "name", json_stringn(at + 1,
		    strcspn(at + 1, "}")), "in", "path", "required", 1,
		    "schema", "type", "string"));
	while (query != NULL && spec_next(&query, &s))
		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:o}",
		    "name", s.name, "in", "query", "required",
		    (int)s.required, "schema", spec_type_schema(s.type)));
	return list;
}

static json_t *
response(const char *description, json_t *schema)
{
	return json_pack("{s:s, s:{s:{s:o}}}", "description", description,
	    "content", "application/json", "schema", schema);
}

static json_t *
error_response(const char *description)
{
	return response(description, json_pack("{s:s}", "$ref",
	    "#/components/schemas/error"));
}

static json_t *
responses(const struct api_route *r)
{
	json_t *o = json_pack("{s:o, s:o}", "200", response("done",
	    spec_schema(r->answer)), "401", error_response("no token, or an "
	    "unknown one"));

	if (r->body != NULL || r->query != NULL)
		json_object_set_new(o, "400", error_response("the request "
		    "itself is malformed"));
	if (strchr(r->path, '{') != NULL)
		json_object_set_new(o, "404", error_response("there is no "
		    "such thing"));
	if (r->body != NULL || strcmp(r->method, "DELETE") == 0) {
		json_object_set_new(o, "409", error_response("another "
		    "manager or revision is in the way, or a limit asks for "
		    "a word"));
		json_object_set_new(o, "413", error_response("too large"));
		json_object_set_new(o, "422", error_response("the policy "
		    "would be invalid"));
	}
	json_object_set_new(o, "default", error_response("another error"));
	return o;
}

static json_t *
operation(const struct api_route *r)
{
	json_t *o = json_pack("{s:s, s:o, s:o}", "summary", r->summary,
	    "parameters", parameters(r), "responses", responses(r));

	if (r->body != NULL)
		json_object_set_new(o, "requestBody", json_pack(
		    "{s:b, s:{s:{s:o}}}", "required", 1, "content",
		    "application/json", "schema", spec_schema(r->body)));
	return o;
}

static void
method_key(const char *method, char out[8])
{
	size_t i;

	for (i = 0; method[i] != '\0' && i < 7; i++)
		out[i] = (char)(method[i] | 0x20);
	out[i] = '\0';
}

void
api_openapi(struct api_call *c)
{
	json_t *paths = json_object();
	const struct api_route *r;

	for (r = api_routes(); r->method != NULL; r++) {
		json_t *path = json_object_get(paths, r->path);
		char method[8];

		if (path == NULL) {
			path = json_object();
			json_object_set_new(paths, r->path, path);
		}
		method_key(r->method, method);
		json_object_set_new(path, method, operation(r));
	}
	api_reply(c, json_pack("{s:s, s:{s:s, s:s}, s:o, s:[{s:[]}], "
	    "s:{s:{s:{s:s, s:s}}, s:{s:o}}}", "openapi", "3.0.3", "info",
	    "title", "Postern controller", "version", conf_version(),
	    "paths", paths, "security", "token", "components",
	    "securitySchemes", "token", "type", "http", "scheme", "bearer",
	    "schemas", "error", json_pack("{s:s, s:{s:o}}", "type", "object",
	    "properties", "error", spec_schema("code:text! message:text! "
	    "at:text"))));
}
