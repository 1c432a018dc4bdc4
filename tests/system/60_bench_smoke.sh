#!/usr/bin/env bash
# 60_bench_smoke.sh - the harness works, and a node's CPU a request without a
# hit stays within a multiple of a server that does nothing.
#
# The limit is 1.5 times, above the mark of 1.2; what is measured is in
# bench/RESULTS.md.  Medians of rounds in rotation, CPU and not time: what else
# runs here moves both sides alike.
. "$(dirname "$0")/../lib/system.sh"
bench=$BUILD/postern-bench
limit=1.5
set_dir=$dir/set

ratio() {
	json '[r for r in j["results"]["fronts"] if r["target"] == "node"][0]["x cpu"]["median"]' \
	    "$dir/fronts.json"
}

# fronts LIMIT: five rounds; the report is in $dir/fronts.json
fronts() {
	"$bench" fronts --dir "$set_dir" --cases smoke --rounds 5 \
	    --time 400ms --max-cpu "$1" -o json >"$dir/fronts.json" \
	    2>"$dir/err"
}

# a machine that is busy with something else gets three tries
for _ in 1 2 3; do
	fronts "$limit" && break
done
[ -s "$dir/fronts.json" ] || die "no report" "$dir/err"
got=$(ratio)
echo "# $got times the null server's CPU a request, of $limit at most"
holds cpu_a_request_is_within_"$limit"_times_null \
    python3 -c "import sys; sys.exit(not 0 < $got <= $limit)"
# the twin: the same measurement fails where it must
expect cpu_limit_that_cannot_be_met_fails 1 "$bench" fronts \
    --dir "$set_dir" --cases smoke --rounds 1 --time 100ms --max-cpu 0.01
says it_says_by_how_much err "times the null server's CPU"
holds decisions_are_what_the_set_says "$bench" decide --dir "$set_dir" \
    --rounds 1 --decisions 2000
expect another_set_in_the_folder_is_refused 1 "$bench" decide \
    --dir "$set_dir" --seed 2
says it_names_the_set_that_is_there err "holds another set"
holds pushes_and_joins_are_verified "$bench" fleet --nodes 10 --rounds 1 \
    --pushes 3 --bytes 100k --down 500ms
holds node_joins_with_the_whole_set "$bench" join --rounds 1 \
    --dir "$set_dir"

# latency over time, of a server that does nothing, while "something" happens
start "$dir/null.log" "$bench" null --listen "unix:$dir/null"
until_true 10 [ -S "$dir/null" ]
begin=$(now_ms)
echo "$((begin + 200)) $((begin + 500)) delta <of 1>" >"$dir/changes"
holds latency_over_time_is_taken "$bench" stall --target "unix:$dir/null" \
    --beside "unix:$dir/null" --rate 2000 --time 1s --slice 50ms \
    --changes "$dir/changes" --plot "$dir/plot.svg"
says it_has_the_phase held 'delta <of 1>'
says it_draws_on_the_terminal held 'p99 when quiet'
says it_says_what_the_machine_did held 'beside then: max us'
says it_has_quiet_over_the_run held 'quiet over the run'
holds its_plot_has_axes_title_and_legend python3 -c '
import sys, xml.etree.ElementTree as e
t = [x.text for x in e.parse(sys.argv[1]).iter() if x.text and x.text.strip()]
for want in ("seconds", "microseconds", "Latency while the policy changes",
             "p99", "longest", "delta <of 1>", "mark: 5 ms"):
    assert want in t, (want, t)' "$dir/plot.svg"

# each side of "events" fails when one event is not stored
expect events_are_all_stored 0 "$bench" events --events 1500 --nodes 2 \
    --rounds 1
says events_tell_what_they_cost out 'message center'

# a run's results against the marks: what is kept is found, and no mark that
# was not measured counts as met
results=$dir/results.ndjson
BENCH_SAVE=$results BENCH_STEP=decision "$bench" decide --dir "$set_dir" \
    --rounds 1 --decisions 2000 --mix miss >"$dir/out" 2>&1 ||
    die "no results" "$dir/out"
BENCH_SAVE=$results BENCH_STEP=decision "$bench" decide --dir "$set_dir" \
    --rounds 1 --decisions 2000 --mix hot --only node >"$dir/out" 2>&1 ||
    die "no results when hot" "$dir/out"
cat >>"$results" <<'J'
{"results": {"stall": [{"while": "scrub", "x quiet": 1.4, "beside: x quiet": 1.5}]}}
{"results": {"set": [{"disk bytes a record": 70.1, "publish and build s": 15}]}}
{"left_out": "rspamd", "why": "it is not there"}
J
# mark BEGINNING MEMBER: of the mark that begins so
mark() {
	"$bench" marks --results "$results" -o json |
	    json "[m for m in j['results']['marks']
		if m['mark'].startswith('$1')][0]['$2']"
}
same mark_at_its_limit_is_met "$(mark 'whole set published' result)" met
same mark_when_hot_is_measured "$(mark 'decision, hit when hot' result |
    sed 's/met\|missed/measured/')" measured
same mark_is_missed_for_whatever_cause "$(mark 'scrub: p99' result)" missed
same the_machine_stands_beside_it \
    "$(mark 'scrub: p99' 'limit or peer')" 1.5
same mark_over_it_is_missed "$(mark disk result)" missed
same mark_without_results_is_not_met "$(mark 'join storm' result)" \
    "not measured"
holds ratio_is_taken_within_the_run python3 -c "import sys
sys.exit(not 1 < $(mark 'decision, miss: ns, to naive' measured) < 1000)"
expect marks_are_a_table 0 "$bench" marks --results "$results"
says what_was_left_out_is_named out 'it is not there'
echo '{"results": ' >>"$results"
expect results_that_are_cut_are_refused 1 "$bench" marks --results "$results"
says it_names_the_line err 'line 6'
