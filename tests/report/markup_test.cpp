#include "dualagent/report/markup.hpp"

#include <string>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("markup characters become entities, in content and attributes", "[report]") {
  CHECK(escape_markup("<b>\"a\" & 'b'</b>") ==
        "&lt;b&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/b&gt;");
  CHECK(escape_markup("&amp;") == "&amp;amp;");
  CHECK(escape_markup("</script>") == "&lt;/script&gt;");
  CHECK(escape_markup("plain \xC3\xBC") == "plain \xC3\xBC");
  CHECK(escape_markup("").empty());
}

TEST_CASE("characters that markup forbids become visible", "[report]") {
  CHECK(escape_markup(std::string("\0\x01\x1b", 3)) == "\\x00\\x01\\x1b");
  CHECK(escape_markup("a\n\tb\r") == "a\n\tb\\r");
  CHECK(escape_markup("\xFF<") == "\xEF\xBF\xBD&lt;");
  CHECK(escape_markup("\xE2\x80\xAE") == "\\u{202e}");
}
