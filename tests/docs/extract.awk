# Writes every fenced block of the languages cpp and cmake of a page to OUT/SECTION.inc, the second of
# a section to SECTION-2.inc and so on.
#   awk -v OUT=build/snippets/training -f extract.awk docs/training.md
/^#+ / && !inside {
  section = tolower($0)
  gsub(/[^a-z0-9]+/, "-", section)
  gsub(/^-|-$/, "", section)
  next
}
/^```/ {
  if (inside) {
    if (file) close(file)
    inside = 0
    file = ""
  } else {
    inside = 1
    if ($0 == "```cpp" || $0 == "```cmake") {
      ++count[section]
      file = OUT "/" section (count[section] > 1 ? "-" count[section] : "") ".inc"
      printf "" > file
    }
  }
  next
}
file { print > file }
