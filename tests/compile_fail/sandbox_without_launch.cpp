// expect: a Sandbox needs 'SandboxLaunch launch
#include "dualagent/tools/python_interpreter.hpp"

struct Jail {
  dualagent::SandboxLimits limits{};
};

int main() { dualagent::PythonInterpreter<Jail> python; }
