// The page's service, which needs cpp-httplib; compiled only.
#include <chrono>
#include <thread>

#include "dualagent/dualagent.hpp"
#include "dualagent/service/followed_weights.hpp"
#include "dualagent/service/sampler_service.hpp"

namespace docs {

namespace da = dualagent;

void service(const std::string& token) {
#include "service/a-service-in-a-program.inc"
}

template <class Service>
void serve_followed(Service& service) {
#include "two-jobs/in-a-program-of-your-own-2.inc"
}

void http(const std::string& token) {
#include "service/paths-of-your-own.inc"
}

}  // namespace docs
