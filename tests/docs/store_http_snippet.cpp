// The page's store behind HTTP; compiled only.
#include <string>

#include "dualagent/service/http_store.hpp"
#include "dualagent/service/reference_queue_service.hpp"
#include "dualagent/service/store_service.hpp"
#include "dualagent/store/sqlite_store.hpp"

namespace docs {

namespace da = dualagent;

void store_over_http(const std::string& token) {
#include "store/over-http.inc"
  static_cast<void>(store);
}

void reference_queue() {
#include "store/the-reference-system-s-queue.inc"
}

}  // namespace docs
