/*
 * cmd_print.c - postern schema, snippet and completion: texts for editors,
 * mail servers and shells.
 */
#include <stdio.h>
#include <string.h>

#include "controller/cli/cli.h"
#include "controller/cli/flags.h"
#include "controller/policy/texts.h"

static const char schema_help[] =
"usage: postern schema\n\n"
"Prints the JSON Schema of policy documents, for editors and other programs.\n"
"\"postern check\" says more than a schema can.\n";

static const char snippet_help[] =
"usage: postern snippet postfix|milter|exim [--policy ADDRESS] "
"[--milter ADDRESS]\n\n"
"Prints the settings that make a mail server ask the node beside it.\n\n"
"  --policy ADDRESS   where the node answers (its --policy-tcp or\n"
"                     --policy-unix): 127.0.0.1:10031, or a path\n"
"  --milter ADDRESS   where it answers as a milter: 127.0.0.1:10032, or a\n"
"                     path\n";

static const char completion_help[] =
"usage: postern completion bash|zsh\n\n"
"Prints what completes commands, verbs and flags.  For this shell:\n\n"
"  source <(postern completion bash)\n";

int
cmd_schema(int argc, char **argv)
{
	struct flags f;
	int rc = flags_parse(&f, argc, argv, "", schema_help);

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	if (f.args_n > 0)
		return usage_error("schema takes no arguments");
	fputs(texts_schema, stdout);
	return CLI_OK;
}

/* text with each old as inet:ADDRESS, or unix:PATH where it begins with "/";
 * for Exim a path stands alone. */
static void
print_with(const char *text, const char *old, const char *address, bool bare)
{
	const char *at;

	while (address != NULL && (at = strstr(text, old)) != NULL) {
		fwrite(text, 1, (size_t)(at - text), stdout);
		printf("%s%s", *address != '/' ? "inet:" :
		    bare ? "" : "unix:", address);
		text = at + strlen(old);
	}
	fputs(text, stdout);
}

/* An address as a node takes it, without "inet:" and "unix:"; whatever else
 * could mean something in a mail server's settings is refused. */
static int
address_of(const struct flags *f, const char *name, const char **out)
{
	const char *text = flag(f, name);

	*out = text;
	if (text == NULL)
		return CLI_OK;
	if (strncmp(text, "inet:", 5) == 0 || strncmp(text, "unix:", 5) == 0)
		text += 5;
	*out = text;
	if (*text != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:[]")] == '\0' &&
	    (*text == '/' || strchr(text, ':') != NULL))
		return CLI_OK;
	return fail(CLI_USAGE, "--%s \"%s\" is no HOST:PORT and no path that "
	    "begins with \"/\"", name, text);
}

int
cmd_snippet(int argc, char **argv)
{
	const char *policy, *milter, *what;
	struct flags f;
	int rc = flags_parse(&f, argc, argv, "policy= milter=", snippet_help);

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	if (address_of(&f, "policy", &policy) != CLI_OK ||
	    address_of(&f, "milter", &milter) != CLI_OK)
		return CLI_USAGE;
	what = f.args_n == 1 ? f.args[0] : "";
	if (strcmp(what, "postfix") == 0)
		print_with(texts_postfix, "inet:127.0.0.1:10031", policy,
		    false);
	else if (strcmp(what, "milter") == 0)
		print_with(texts_milter, "inet:127.0.0.1:10032", milter,
		    false);
	else if (strcmp(what, "exim") == 0)
		print_with(texts_exim, "/run/postern-node/policy.sock",
		    policy, true);
	else
		return usage_error("for what? say postfix, milter or exim");
	return CLI_OK;
}

/* The words come from the help, so that they are those of this program. */
static const char bash_text[] =
"_postern_words() {\n"
"	if [ -z \"$1\" ]; then\n"
"		\"$postern\" --help\n"
"	else\n"
"		\"$postern\" \"$1\" --help\n"
"	fi 2>/dev/null |\n"
"	    if [ \"$2\" = flags ]; then\n"
"		grep -o -- '--[a-z][a-z-]*' | sort -u\n"
"	    else\n"
"		sed -n 's/^  \\([a-z][a-z-]*\\) .*/\\1/p'\n"
"	    fi\n"
"}\n"
"_postern() {\n"
"	local word=${COMP_WORDS[COMP_CWORD]} postern=${COMP_WORDS[0]}\n"
"	local words noun=${COMP_WORDS[1]}\n"
"	case $COMP_CWORD:$word in\n"
"	1:*) words=$(_postern_words '') ;;\n"
"	*:-*) words=$(_postern_words \"$noun\" flags) ;;\n"
"	2:*) words=$(_postern_words \"$noun\") ;;\n"
"	esac\n"
"	case $noun in\n"
"	completion) words='bash zsh' ;;\n"
"	snippet) [ \"$COMP_CWORD\" -ne 2 ] || words='postfix milter exim' ;;\n"
"	esac\n"
"	COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
"}\n"
"complete -o default -F _postern postern\n";

int
cmd_completion(int argc, char **argv)
{
	struct flags f;
	int rc = flags_parse(&f, argc, argv, "", completion_help);
	const char *shell;

	if (rc != 0)
		return rc < 0 ? CLI_USAGE : CLI_OK;
	shell = f.args_n == 1 ? f.args[0] : "";
	if (strcmp(shell, "zsh") == 0)
		fputs("autoload -Uz bashcompinit && bashcompinit\n", stdout);
	else if (strcmp(shell, "bash") != 0)
		return usage_error("for which shell? say bash or zsh");
	fputs(bash_text, stdout);
	return CLI_OK;
}
