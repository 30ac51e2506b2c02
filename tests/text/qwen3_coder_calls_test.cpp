#include "dualagent/text/qwen3_coder_calls.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/turns.hpp"

using namespace dualagent;

// tests/text/known_templates_test.cpp compares descriptions of tools with the model's own template.

TEST_CASE("Qwen3-Coder's tools are described keyword by keyword, as Python writes them", "[text]") {
  const std::vector<ToolSpec> tools{
      {"find", " Finds. ",
       R"({"type":"object","properties":{"n":{"type":["integer","null"],"default":null,"x":true},)"
       R"("s":{"description":" a \"word\" ","enum":["é",1],"minLength":2,"y":false}},)"
       R"("required":["s"],"additionalProperties":false})"}};
  const std::string text = Qwen3CoderCalls{}.describe_tools(tools);
  CHECK_THAT(
      text, ContainsSubstring("<tools>\n<function>\n<name>find</name>\n"
                              "<description>Finds.</description>\n<parameters>\n"
                              "<parameter>\n<name>n</name>\n<type>['integer', 'null']</type>\n"
                              "<default>None</default>\n<x>True</x>\n</parameter>\n"
                              "<parameter>\n<name>s</name>\n<description>a \"word\"</description>\n"
                              "<enum>[\"é\", 1]</enum>\n<minLength>2</minLength>\n<y>False</y>\n"
                              "</parameter>\n<required>[\"s\"]</required>\n"
                              "<additionalProperties>False</additionalProperties>\n"
                              "</parameters>\n</function>\n</tools>\n"));
  CHECK(Qwen3CoderCalls{}.describe_tools({}).empty());
  CHECK_THAT(Qwen3CoderCalls{}.describe_tools(std::vector<ToolSpec>{{"f", "", "{}"}}),
             ContainsSubstring("<parameters>\n</parameters>"));
}

TEST_CASE("Qwen3-Coder's calls are read by the types of their schemas", "[text]") {
  const std::vector<ToolSpec> tools{{"f", "", R"({"properties": {"x": {"type": "string"}}})"}};
  CHECK(turns::calls_of(Qwen3CoderCalls::of(tools).parse(
                            "<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n"
                            "</function>\n</tool_call>"))
            .at(0)
            .arguments == "{\"x\": \"1\"}");
}
