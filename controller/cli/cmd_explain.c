/*
 * cmd_explain.c - postern explain and postern check, from a document, without
 * a controller.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/cli.h"
#include "controller/cli/load.h"
#include "controller/cli/online.h"
#include "controller/policy/eml.h"
#include "controller/policy/explain.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

static const char explain_help[] =
"usage: postern explain [-f DOC] --from A --to B [FLAGS]\n"
"       postern explain --event ID\n"
"       postern explain --cases FILE\n\n"
"  -f DOC             a policy document, a folder of them, or -; without\n"
"                     it the controller is asked: --addr, --token-file\n"
"  --from A           envelope sender; '' is the null sender\n"
"  --to B             envelope recipient; may be given again\n"
"  --header-from H    header From; absent: as the sender, '': none\n"
"  --header-name N    its display name; absent: as --header-from has it\n"
"  --eml FILE         header From as the message in this file has it\n"
"  --ip IP            the connecting client\n"
"  --host NAME        its forward-confirmed name\n"
"  --auth-user U      authenticated as U\n"
"  --at TIME          decide as of then (2026-06-15T12:00:00Z)\n"
"  --greylist S       new or passed (default)\n"
"  --stage S          rcpt, or full (default): after the headers too\n"
"  --event ID         the message of this id, under the policy in force\n"
"  --cases FILE       evaluate every case of a file\n"
"  -o FORMAT          table (default) or json\n\n"
"Exit status: 0 accepted, 1 rejected, 10 deferred, 11 held, 2 usage,\n"
"7 invalid policy; with --cases 0 all as expected, 1 some differ.\n";

enum { OPT_FROM = 256, OPT_TO, OPT_HEADER_FROM, OPT_HEADER_NAME, OPT_IP,
    OPT_HOST, OPT_AUTH, OPT_AT, OPT_GREYLIST, OPT_STAGE, OPT_CASES,
    OPT_EML, OPT_HELP, OPT_ADDR, OPT_TOKEN, OPT_CA, OPT_EVENT };

static const struct option options[] = {
	{ "file", required_argument, NULL, 'f' },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "header-from", required_argument, NULL, OPT_HEADER_FROM },
	{ "header-name", required_argument, NULL, OPT_HEADER_NAME },
	{ "ip", required_argument, NULL, OPT_IP },
	{ "eml", required_argument, NULL, OPT_EML },
	{ "host", required_argument, NULL, OPT_HOST },
	{ "auth-user", required_argument, NULL, OPT_AUTH },
	{ "at", required_argument, NULL, OPT_AT },
	{ "greylist", required_argument, NULL, OPT_GREYLIST },
	{ "stage", required_argument, NULL, OPT_STAGE },
	{ "cases", required_argument, NULL, OPT_CASES },
	{ "addr", required_argument, NULL, OPT_ADDR },
	{ "token-file", required_argument, NULL, OPT_TOKEN },
	{ "ca-file", required_argument, NULL, OPT_CA },
	{ "event", required_argument, NULL, OPT_EVENT },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 }
};

#define TO_MAX 100

struct asked {
	struct question q;
	const char *to[TO_MAX];
	size_t to_n;
	const char *file, *cases, *eml;
	const char *event;	/* a message's id */
	struct flags online;	/* where the controller is */
	bool json, help;
};

static void
set_online(struct asked *a, const char *name, const char *value)
{
	struct flags *f = &a->online;

	if (f->n == FLAGS_MAX)
		return;
	snprintf(f->set[f->n].name, sizeof(f->set[0].name), "%s", name);
	f->set[f->n++].value = value;
}

static int
set_option(struct asked *a, int opt, const char *value)
{
	switch (opt) {
	case 'f': a->file = value; return 0;
	case OPT_FROM: a->q.from = value; return 0;
	case OPT_HEADER_FROM: a->q.header_from = value; return 0;
	case OPT_HEADER_NAME: a->q.header_name = value; return 0;
	case OPT_EML: a->eml = value; return 0;
	case OPT_IP: a->q.ip = value; return 0;
	case OPT_HOST: a->q.host = value; return 0;
	case OPT_AUTH: a->q.auth_user = value; return 0;
	case OPT_AT: a->q.at = value; return 0;
	case OPT_GREYLIST: a->q.greylist = value; return 0;
	case OPT_STAGE: a->q.stage = value; return 0;
	case OPT_CASES: a->cases = value; return 0;
	case OPT_HELP: a->help = true; return 0;
	case OPT_ADDR: set_online(a, "addr", value); return 0;
	case OPT_TOKEN: set_online(a, "token-file", value); return 0;
	case OPT_CA: set_online(a, "ca-file", value); return 0;
	case OPT_EVENT: a->event = value; return 0;
	case OPT_TO:
		if (a->to_n == TO_MAX)
			return usage_error("at most 100 recipients");
		a->to[a->to_n++] = value;
		return 0;
	case 'o':
		a->json = strcmp(value, "json") == 0;
		return a->json || strcmp(value, "table") == 0 ? 0 :
		    usage_error("-o is table or json");
	default:
		return CLI_USAGE;
	}
}

static int
parse(struct asked *a, int argc, char **argv)
{
	int opt, rc;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "f:o:", options, NULL)) != -1) {
		if ((rc = set_option(a, opt, optarg)) != 0)
			return rc;
	}
	if (optind < argc)
		return usage_error("what is no flag has no meaning here");
	return 0;
}

static void
print_answer(const struct asked *a, const json_t *answer)
{
	struct buf out;

	buf_init(&out, 0);
	if (a->json) {
		char *text = json_dumps(answer, JSON_INDENT(2));

		buf_puts(&out, text);
		buf_putc(&out, '\n');
		free(text);
	} else
		explain_table(answer, &out);
	fwrite(out.data, 1, out.len, stdout);
	buf_fini(&out);
}

/* Ask for each recipient; the worst answer is the exit status. */
static int
ask_all(struct asked *a, const struct records *records, struct diag *why)
{
	json_t *all = json_array();
	int status = 0, rc = 0;
	size_t i;

	for (i = 0; i < a->to_n && rc == 0; i++) {
		json_t *answer = NULL;

		a->q.to = a->to[i];
		rc = explain(records, &a->q, &answer, why);
		if (rc < 0)
			break;
		if (explain_exit(answer) > status)
			status = explain_exit(answer);
		if (a->to_n > 1 && a->json)
			json_array_append(all, answer);
		else
			print_answer(a, answer);
		json_decref(answer);
	}
	if (rc == 0 && json_array_size(all) > 0)
		print_answer(a, all);
	json_decref(all);
	if (rc < 0) {
		fprintf(stderr, "postern: %s\n", why->text);
		return CLI_USAGE;
	}
	return status;
}

static void
put_text(json_t *o, const char *key, const char *value)
{
	if (value != NULL)
		json_object_set_new(o, key, json_string(value));
}

/* Ask the controller, for the policy in force. */
static int
ask_controller(const struct asked *a)
{
	json_t *body = json_object(), *to = json_array(), *whole, *answer;
	const json_t *list;
	int status = 0, rc;
	size_t i;

	for (i = 0; i < a->to_n; i++)
		json_array_append_new(to, json_string(a->to[i]));
	json_object_set_new(body, "to", to);
	put_text(body, "from", a->q.from);
	put_text(body, "header_from", a->q.header_from);
	put_text(body, "header_name", a->q.header_name);
	put_text(body, "ip", a->q.ip);
	put_text(body, "host", a->q.host);
	put_text(body, "auth_user", a->q.auth_user);
	put_text(body, "at", a->q.at);
	put_text(body, "greylist", a->q.greylist);
	put_text(body, "stage", a->q.stage);
	rc = client_call(&a->online, "POST", "/v1/explain", body, &whole);
	json_decref(body);
	if (rc != CLI_OK)
		return rc;
	list = json_object_get(whole, "answers");
	if (list == NULL)
		print_answer(a, whole);
	else if (a->json)
		print_answer(a, a->to_n == 1 ? json_array_get(list, 0) :
		    list);
	json_array_foreach(list, i, answer) {
		if (!a->json)
			print_answer(a, answer);
		if (explain_exit(answer) > status)
			status = explain_exit(answer);
	}
	if (list == NULL)
		status = explain_exit(whole);
	json_decref(whole);
	return status;
}

/* Take the header From of the message file; header keeps the text. */
static int
read_message(struct asked *a, struct buf *header)
{
	struct buf message;
	struct diag why;
	int rc;

	if (a->q.header_from != NULL)
		return usage_error("--eml and --header-from say the same");
	buf_init(&message, 0);
	rc = file_read(a->eml, EML_MAX, &message, &why);
	if (rc == 0) {
		eml_from(message.data, message.len, header);
		buf_putc(header, '\0');
		a->q.header_from = (char *)header->data;
	} else
		fprintf(stderr, "postern: %s\n", why.text);
	buf_fini(&message);
	return rc == 0 ? CLI_OK : CLI_USAGE;
}

/* What the policy in force says of a message that was refused. */
static int
ask_event(const struct asked *a)
{
	const json_t *answer;
	struct buf path;
	json_t *whole;
	int rc;

	buf_init(&path, 4096);
	buf_puts(&path, "/v1/messages/");
	client_escape(&path, a->event);
	rc = client_call(&a->online, "GET", path.data, NULL, &whole);
	buf_fini(&path);
	if (rc != CLI_OK)
		return rc;
	answer = json_object_get(whole, "explain");
	print_answer(a, answer);
	rc = explain_exit(answer);
	json_decref(whole);
	return rc;
}

/* Load and compile path, then run with it. */
static int
with_policy(const char *path, struct asked *a)
{
	struct items items;
	struct records records;
	struct files names = { 0 };
	struct diag why;
	int rc, status = CLI_OK;

	items_init(&items);
	rc = load_items(path, &items, &names, &why);
	if (rc == 0)
		rc = compile(&items, &records, &why);
	if (rc < 0) {
		fprintf(stderr, "postern: %s\n", why.text);
		status = cli_exit_of(rc);
	} else {
		if (a != NULL)
			status = ask_all(a, &records, &why);
		else
			printf("%s: %" PRIu64 " records, %zu policies\n",
			    path, records_n(&records), tables_policies_n(
			    records_tables(&records)));
		records_fini(&records);
	}
	items_fini(&items);
	files_fini(&names);
	return status;
}

int
cmd_explain(int argc, char **argv)
{
	struct asked a = { 0 };
	struct buf header;
	struct diag why;
	bool differ = false;
	int rc = parse(&a, argc, argv);

	if (rc != 0)
		return rc;
	if (a.help) {
		fputs(explain_help, stdout);
		return CLI_OK;
	}
	if (a.cases != NULL) {
		rc = explain_cases(a.cases, stdout, &differ, &why);
		if (rc < 0) {
			fprintf(stderr, "postern: %s\n", why.text);
			return cli_exit_of(rc);
		}
		return differ ? CLI_DIFFERS : CLI_OK;
	}
	if (a.event != NULL)
		return ask_event(&a);
	if (a.q.from == NULL || a.to_n == 0)
		return usage_error("explain needs --from and --to");
	buf_init(&header, 0);
	if (a.eml != NULL)
		rc = read_message(&a, &header);
	if (rc == CLI_OK)
		rc = a.file == NULL ? ask_controller(&a) :
		    with_policy(a.file, &a);
	buf_fini(&header);
	return rc;
}

int
cmd_check(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		puts("usage: postern check DOC\n\nReads a policy document (a "
		    "file, a folder or -), compiles it as the\ncontroller "
		    "does, and says where it is wrong.");
		return CLI_OK;
	}
	if (argc != 2)
		return usage_error("check needs one document");
	return with_policy(argv[1], NULL);
}
