# side_by_side COUNT FUNCTION ITEM...: calls FUNCTION with each ITEM, COUNT at a time; fails if any call
# failed. For `source`.
side_by_side() {
  local count=$1 function=$2 failed=0 item
  shift 2
  for item in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge "$count" ]; do wait -n || failed=1; done
    "$function" "$item" &
  done
  while [ "$(jobs -p | wc -l)" -gt 0 ]; do wait -n || failed=1; done
  return "$failed"
}
