# Prints the headers named as arguments (dualagent/...) so that few translation units show that each of them
# includes all it needs: on each line, every header is included, directly or not, by the one after it. What stands
# before a header on its line is thus included by that header as well, and hides nothing that it lacks.
#   awk -v ROOT=FOLDER -f chains.awk HEADER...

function read_includes(name,   line, path) {
  if (name in included) return
  included[name] = ""
  path = ROOT "/include/" name
  if ((getline line < path) < 0) {
    path = ROOT "/kernels_inl/" name
    if ((getline line < path) < 0) return  # generated, or not of this project
  }
  do
    if (match(line, /^#include ["<]dualagent\/[^">]*/)) {
      sub(/^#include ["<]/, "", line)
      sub(/[">].*/, "", line)
      included[name] = included[name] " " line
    }
  while ((getline line < path) > 0)
  close(path)
}

# within[top, NAME] for all that `top` includes, directly or not; size[top] is their number.
function follow(top, name,   parts, i, count) {
  if ((top, name) in within) return
  within[top, name] = 1
  size[top]++
  read_includes(name)
  count = split(included[name], parts, " ")
  for (i = 1; i <= count; i++) follow(top, parts[i])
}

# The header that is on no line yet and includes most; of those in `top` if that is not "".
function largest(top,   i, best) {
  best = ""
  for (i = 1; i < ARGC; i++)
    if (!(ARGV[i] in done) && (top == "" || (top, ARGV[i]) in within))
      if (best == "" || size[ARGV[i]] > size[best]) best = ARGV[i]
  return best
}

BEGIN {
  for (i = 1; i < ARGC; i++) follow(ARGV[i], ARGV[i])
  while ((top = largest("")) != "") {
    line = top
    done[top] = 1
    while ((top = largest(top)) != "") {
      line = top " " line
      done[top] = 1
    }
    print line
  }
}
