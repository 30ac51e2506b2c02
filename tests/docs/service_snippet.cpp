// The page's service, which needs cpp-httplib; compiled only.
#include "dualagent/dualagent.hpp"
#include "dualagent/service/sampler_service.hpp"

namespace docs {

namespace da = dualagent;

void service(const std::string& token) {
#include "service/a-service-in-a-program.inc"
}

void http(const std::string& token) {
#include "service/paths-of-your-own.inc"
}

}  // namespace docs
