#!/usr/bin/env bash
# 18_controller_start.sh - how a controller starts and who may speak to it:
# TLS, loopback, folder, files, tokens, the context file.
source "$(dirname "$0")/../lib/system.sh"
controller=$BUILD/postern-controller
data=$dir/data
run=(--dir "$data" --api 127.0.0.1:0 --control tcp://127.0.0.1:0
    --events tcp://127.0.0.1:0 --enroll tcp://127.0.0.1:0)

# up [FLAG...]: a controller, ready; sets controller_pid
up() {
	rm -f "$dir/ready"
	start "$dir/controller.log" "$controller" "${run[@]}" \
	    --ready-file "$dir/ready" "$@"
	controller_pid=$pid
	until_true 20 test -s "$dir/ready" ||
	    die "the controller is not ready" "$dir/controller.log"
	POSTERN_ADDR=$(json 'j["api"]' "$dir/ready")
	POSTERN_TOKEN_FILE=$(json 'j["token_file"]' "$dir/ready")
	export POSTERN_ADDR POSTERN_TOKEN_FILE
}

# refused NAME WHY FLAG...: it does not start, and says why
refused() {
	local name=$1 why=$2
	shift 2
	timeout 120 "$controller" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	same "${name}_does_not_start" "$?" 1
	says "${name}_says_why" err "$why"
}

refused bare_address "is not a loopback" "${run[@]}" --api 0.0.0.0:0
expect no_folder_is_2 2 "$controller"
expect unknown_setting_is_2 2 "$controller" --dir "$data" --message-day 3
says unknown_setting_gets_the_nearest err "message"

up
refused second_process "$controller_pid" "${run[@]}"
expect livez_needs_no_token 0 curl -sf "$POSTERN_ADDR/livez"
expect readyz_needs_no_token 0 curl -sf "$POSTERN_ADDR/readyz"
expect metrics_are_open_on_loopback 0 curl -sf "$POSTERN_ADDR/metrics"
says metrics_have_the_version out "postern_policy_version 0"
expect api_needs_one 22 curl -sf "$POSTERN_ADDR/v1/status"
same keys_are_private "$(find "$data" -path '*/keys/*' -type f \
    ! -name root.pub ! -perm 600 | wc -l) $(stat -c %a "$data" "$data/keys" |
    tr '\n' ' ')" "0 700 700 "
same token_file_is_private "$(stat -c %a "$POSTERN_TOKEN_FILE")" 600
same token_stands_in_no_database "$(grep -rlF \
    "$(cat "$POSTERN_TOKEN_FILE")" "$data/policy" "$data/messages" |
    wc -l)" 0
python3 - "$POSTERN_ADDR" "$(cat "$POSTERN_TOKEN_FILE")" <<'PY'
import json, sys, urllib.error, urllib.request
def get(path, method="GET", body=None):
    r = urllib.request.Request(sys.argv[1] + path, method=method, data=body,
                               headers={"Authorization":
                                        "Bearer " + sys.argv[2]})
    try:
        with urllib.request.urlopen(r) as a:
            return a.status, json.load(a)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)
status, doc = get("/v1/openapi.json")
bad = []
for path, methods in doc["paths"].items():
    for method in methods:
        s, answer = get(path.replace("{revision}", "1"), method.upper(),
                        b"{}" if method == "post" else None)
        text = answer.get("error", {}).get("message", "")
        if s == 405 or s >= 500 or "openapi.json lists" in text:
            bad.append((path, method, s, answer))
print("ok every_described_route_answers" if status == 200 and not bad
      else "not ok every_described_route_answers: %r" % bad)
PY

# --- exit statuses of who cannot speak to it
expect without_a_token_is_6 6 env -u POSTERN_TOKEN_FILE "$postern" status
says without_a_token_says_how err "POSTERN_TOKEN_FILE"
echo wrong >"$dir/wrong" && chmod 600 "$dir/wrong"
expect wrong_token_is_6 6 "$postern" status --token-file "$dir/wrong"
chmod 644 "$dir/wrong"
expect open_token_file_is_6 6 "$postern" status --token-file "$dir/wrong"
expect no_controller_is_5 5 "$postern" status \
    --addr "http://127.0.0.1:$(free_port)"
cat >"$dir/context.yaml" <<C
addr: $POSTERN_ADDR
token_file: $POSTERN_TOKEN_FILE
C
alone() {
	env -u POSTERN_ADDR -u POSTERN_TOKEN_FILE \
	    POSTERN_CONTEXT="$dir/context.yaml" "$postern" "$@"
}
expect context_file_says_where 0 alone status
echo 'token: x' >>"$dir/context.yaml"
expect context_file_is_checked 2 alone status
says context_file_has_its_place err "context.yaml:3:1"
stop "$controller_pid"

# --- TLS
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$dir/tls.key" -out "$dir/tls.pem" 2>"$dir/openssl.log" ||
    die "openssl makes no certificate" "$dir/openssl.log"
chmod 644 "$dir/tls.key"
refused open_tls_key "tls.key" "${run[@]}" --tls-cert "$dir/tls.pem" \
    --tls-key "$dir/tls.key"
chmod 600 "$dir/tls.key"
up --api 0.0.0.0:0 --tls-cert "$dir/tls.pem" --tls-key "$dir/tls.key"
POSTERN_ADDR=${POSTERN_ADDR/0.0.0.0/127.0.0.1}
same tls_has_https "${POSTERN_ADDR%%:*}" https
expect tls_unknown_certificate_is_5 5 "$postern" status
says tls_unknown_certificate_says_how err "--ca-file"
expect tls_known_certificate_is_0 0 "$postern" status \
    --ca-file "$dir/tls.pem"
expect metrics_under_tls_need_a_token 22 curl -sf --cacert "$dir/tls.pem" \
    "$POSTERN_ADDR/metrics"
expect metrics_under_tls_with_a_token 0 curl -sf --cacert "$dir/tls.pem" \
    -H "Authorization: Bearer $(cat "$POSTERN_TOKEN_FILE")" \
    "$POSTERN_ADDR/metrics"
expect plain_http_is_5 5 "$postern" status \
    --addr "http${POSTERN_ADDR#https}"
stop "$controller_pid"
same stops_well "$?" 0
