// expect: a TaskFormat needs 'Task read
#include "dualagent/data/task_file.hpp"

struct Csv {
  dualagent::Task read(std::string_view row) const { return {.prompt = std::string(row)}; }
};

int main() { dualagent::read_tasks("tasks.csv", Csv{}); }
