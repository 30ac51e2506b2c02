# Fails when a header include/dualagent/FOLDER/NAME.hpp has no test tests/FOLDER/NAME_test.cpp.
# Usage: cmake -DROOT=PROJECT -P check_mirrors.cmake.

# Headers without a test of that name, and where they are tested instead.
set(tested_elsewhere
    dualagent.hpp)  # it only includes the others: tests/package and check_floors.cmake

set(missing "")
file(GLOB_RECURSE headers RELATIVE ${ROOT}/include/dualagent ${ROOT}/include/dualagent/*.hpp)
foreach(header IN LISTS headers)
  string(REGEX REPLACE "\\.hpp$" "_test.cpp" test ${header})
  list(FIND tested_elsewhere ${header} at)
  if(EXISTS ${ROOT}/tests/${test} AND NOT at EQUAL -1)
    list(APPEND missing "${header} has a test: take it off the list in check_mirrors.cmake")
  elseif(NOT EXISTS ${ROOT}/tests/${test} AND at EQUAL -1)
    list(APPEND missing "${header}: write tests/${test}")
  endif()
endforeach()
foreach(header IN LISTS tested_elsewhere)
  if(NOT EXISTS ${ROOT}/include/dualagent/${header})
    list(APPEND missing "${header} does not exist: take it off the list in check_mirrors.cmake")
  endif()
endforeach()

if(missing)
  list(JOIN missing "\n  " text)
  message(FATAL_ERROR "headers without a test:\n  ${text}")
endif()
list(LENGTH headers count)
message(STATUS "${count} headers have their tests")
