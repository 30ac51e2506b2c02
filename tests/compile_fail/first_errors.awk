# The first error of each case in a compiler's output for all cases, as lines "CASE<tab>ERROR"; none
# where an error belongs to no case. The line of the case ("required from here") stands before an
# error of g++ and after one of clang++, and only where it is not that of the error before.
# awk -v CASES=FOLDER -v NAMED=before|after -f first_errors.awk OUTPUT
function case_in(line,  at, name) {
  at = index(line, CASES "/")
  if (at == 0) return ""
  name = substr(line, at + length(CASES) + 1)
  return match(name, /^[A-Za-z0-9_]+\.cpp:/) ? substr(name, 1, RLENGTH - 5) : ""
}

function note_error() {
  if (error == "" || current in first) return
  first[current] = error
  order[++count] = current
}

/error: / && NAMED == "after" { note_error(); error = $0; named = 0 }
NAMED == "before" || !named {
  name = case_in($0)
  if (name != "") { current = name; named = 1 }
}
/error: / && NAMED == "before" { error = $0; note_error() }
END {
  if (NAMED == "after") note_error()
  if ("" in first) exit
  for (i = 1; i <= count; ++i) print order[i] "\t" first[order[i]]
}
