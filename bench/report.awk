# SPDX-License-Identifier: MIT
# Turns raw lines (`runtime scenario workers value key=value...`) into two Markdown tables on stdout and
# JSON in the file `json`. Reads scenarios, machine.txt and raw.txt, in this order.

function sort(v, n,    i, j, x) {
    for (i = 2; i <= n; i++) {
        x = v[i]
        for (j = i - 1; j > 0 && v[j] > x; j--)
            v[j + 1] = v[j]
        v[j + 1] = x
    }
}

# Fills med, low, high of a series from its values, a string of numbers.
function digest(key,    v, n) {
    n = split(series[key], v, " ")
    for (i = 1; i <= n; i++)
        v[i] += 0
    sort(v, n)
    med[key] = n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
    low[key] = v[1]
    high[key] = v[n]
    runs[key] = n
}

function short(x) {
    return x >= 1000 ? sprintf("%.0f", x) : x >= 100 ? sprintf("%.0f", x) : sprintf("%.1f", x)
}

function cell(key) {
    if (failed[key])
        return "failed"
    if (!(key in med))
        return "-"
    return short(med[key]) " (" short(low[key]) ".." short(high[key]) ")"
}

function ratio(a, b) {
    if (!(a in med) || !(b in med) || failed[a] || failed[b] || med[b] == 0)
        return "-"
    return sprintf("%.2f", med[a] / med[b])
}

function add(key, value) {
    if (!(key in series))
        keys[++key_count] = key
    series[key] = series[key] " " value
}

FNR == 1 { file++ }
file == 1 {
    if ($0 !~ /^#/ && NF)
        unit[$1] = $2
    next
}
file == 2 {
    machine[++machines] = $0
    next
}
{
    row = $2 SUBSEP $3
    if (!(row in seen)) {
        seen[row] = 1
        rows[++row_count] = row
    }
    if ($4 == "failed") {
        failed[row SUBSEP $1] = 1
        next
    }
    add(row SUBSEP $1, $4)
    for (f = 5; f <= NF; f++) {
        split($f, kv, "=")
        extra = row SUBSEP kv[1]
        if (!(extra in seen)) {
            seen[extra] = 1
            extras[++extra_count] = extra
        }
        add(extra SUBSEP $1, kv[2])
    }
}

END {
    names = split("edo tokio tokio-ct go", runtime, " ")
    unit["husako_gen"] = unit["fetch"] = "ms"
    for (key in series)
        digest(key)
    for (i = 1; i <= machines; i++)
        print "- " machine[i]
    print "\nMedian (lowest..highest); lower is better everywhere.\n"
    print "| scenario | workers | unit | Edo | Tokio | Tokio, current-thread | Go | Edo/Tokio | Edo/Tokio ct | Edo/Go |"
    print "|---|---|---|---|---|---|---|---|---|---|"
    for (r = 1; r <= row_count; r++) {
        split(rows[r], part, SUBSEP)
        line = "| " part[1] " | " part[2] " | " unit[part[1]]
        for (i = 1; i <= names; i++)
            line = line " | " cell(rows[r] SUBSEP runtime[i])
        for (i = 2; i <= names; i++)
            line = line " | " ratio(rows[r] SUBSEP "edo", rows[r] SUBSEP runtime[i])
        print line " |"
    }
    write_goals()
    print "\nOther figures of the same runs (cpu_ns: CPU time of all threads per operation).\n"
    print "| scenario | workers | figure | Edo | Tokio | Tokio, current-thread | Go |"
    print "|---|---|---|---|---|---|---|"
    for (r = 1; r <= extra_count; r++) {
        split(extras[r], part, SUBSEP)
        line = "| " part[1] " | " part[2] " | " part[3]
        for (i = 1; i <= names; i++)
            line = line " | " cell(extras[r] SUBSEP runtime[i])
        print line " |"
    }
    write_json()
}

# Half of Tokio's time (multi_thread, with as many workers) on these.
function write_goals(    names, n, i, w, e, t) {
    print "\nGoal: at most half of Tokio's time.\n"
    n = split("spawn_join spawn_many yield ping_pong", names, " ")
    for (i = 1; i <= n; i++) {
        for (w = 1; w <= 2; w++) {
            e = names[i] SUBSEP w SUBSEP "edo"
            t = names[i] SUBSEP w SUBSEP "tokio"
            if (ratio(e, t) != "-")
                print "- " names[i] ", " w " worker(s): " ratio(e, t) \
                    (2 * med[e] <= med[t] ? ", met" : ", **not met**")
        }
    }
}

function quoted(s) {
    gsub(/[\\"]/, "\\\\&", s)
    return "\"" s "\""
}

function write_json(    part, n, i, figure) {
    printf "{\n  \"machine\": [" > json
    for (i = 1; i <= machines; i++)
        printf "%s%s", (i == 1 ? "" : ", "), quoted(machine[i]) > json
    printf "],\n  \"results\": [" > json
    for (i = 1; i <= key_count; i++) {
        n = split(keys[i], part, SUBSEP)
        figure = n == 4 ? part[3] : unit[part[1]]
        printf "%s\n    {\"scenario\": %s, \"workers\": %d, \"figure\": %s, \"runtime\": %s, ",
            (i == 1 ? "" : ","), quoted(part[1]), part[2], quoted(figure), quoted(part[n]) > json
        printf "\"median\": %s, \"min\": %s, \"max\": %s, \"runs\": %d}", med[keys[i]],
            low[keys[i]], high[keys[i]], runs[keys[i]] > json
    }
    printf "\n  ]\n}\n" > json
}
