# The checks of this folder must refuse bad trees and accept good ones.

# Runs a check on the tree `root`: it must accept it if nothing is wanted, else refuse it with a text
# that matches.
function(judge check root name wanted)
  execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${root} -P ${CMAKE_CURRENT_LIST_DIR}/${check}
                  RESULT_VARIABLE code ERROR_VARIABLE text OUTPUT_QUIET)
  if(wanted STREQUAL "" AND NOT code EQUAL 0)
    message(FATAL_ERROR "${name}: a good tree was refused: ${text}")
  elseif(NOT wanted STREQUAL "" AND (code EQUAL 0 OR NOT text MATCHES "${wanted}"))
    message(FATAL_ERROR "${name}: expected '${wanted}', got: ${text}")
  endif()
endfunction()

# The floor check must refuse an upward include, an unknown folder and a header that the umbrella
# misses, and accept a good tree.
function(expect name content umbrella wanted)
  set(root ${WORK}/${name})
  file(REMOVE_RECURSE ${root})
  file(WRITE ${root}/include/dualagent/dualagent.hpp "${umbrella}")
  file(WRITE ${root}/include/dualagent/train/b.hpp "#pragma once\n")
  file(WRITE ${root}/include/dualagent/core/a.hpp "${content}")
  if(name STREQUAL "folder")
    file(WRITE ${root}/include/dualagent/attic/c.hpp "#pragma once\n")
  endif()
  if(name STREQUAL "optional")
    file(WRITE ${root}/include/dualagent/service/openai_client.hpp "#pragma once\n")
  endif()
  judge(check_floors.cmake ${root} ${name} "${wanted}")
endfunction()

set(both "#include \"dualagent/core/a.hpp\"\n#include \"dualagent/train/b.hpp\"\n")
expect(good "#pragma once\n" "${both}" "")
expect(upward "#include \"dualagent/train/b.hpp\"\n" "${both}" "includes dualagent/train/b.hpp")
expect(angle "#  include <dualagent/train/b.hpp>\n" "${both}" "includes dualagent/train/b.hpp")
expect(whole "#include \"dualagent/dualagent.hpp\"\n" "${both}" "includes dualagent/dualagent.hpp")
expect(umbrella "#pragma once\n" "#include \"dualagent/train/b.hpp\"\n" "a.hpp is missing")
expect(optional "#pragma once\n"
       "${both}#include \"dualagent/service/openai_client.hpp\"\n" "is in the umbrella")
expect(folder "#pragma once\n" "${both}" "no.*floor")

# The mirror check must refuse a header without a test, and a list of exceptions that is not true.
function(expect_mirrors name wanted)
  set(root ${WORK}/mirrors_${name})
  file(REMOVE_RECURSE ${root})
  file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/check_mirrors.cmake exceptions REGEX "^ +[a-z0-9_/]+[.]hpp")
  foreach(line IN LISTS exceptions)
    string(REGEX REPLACE "^ +([a-z0-9_/]+[.]hpp).*" "\\1" exception "${line}")
    file(WRITE ${root}/include/dualagent/${exception} "#pragma once\n")
  endforeach()
  file(WRITE ${root}/include/dualagent/core/a.hpp "#pragma once\n")
  foreach(file IN LISTS ARGN)
    file(WRITE ${root}/${file} "")
  endforeach()
  judge(check_mirrors.cmake ${root} ${name} "${wanted}")
endfunction()

expect_mirrors(good "" tests/core/a_test.cpp)
expect_mirrors(without "core/a.hpp: write tests/core/a_test.cpp")
expect_mirrors(elsewhere "core/a.hpp: write tests/core/a_test.cpp" tests/io/a_test.cpp)
expect_mirrors(stale "dualagent.hpp has a test: take it off" tests/core/a_test.cpp
               tests/dualagent_test.cpp)

# A header that reads golden data is found, and so is one that includes it by another, whose name comes first.
include(${CMAKE_CURRENT_LIST_DIR}/../support/reads_data.cmake)
file(REMOVE_RECURSE ${WORK}/data)
file(WRITE ${WORK}/data/a.hpp "#include \"support/b.hpp\"\n")
file(WRITE ${WORK}/data/b.hpp "#include \"support/c.hpp\"\n")
file(WRITE ${WORK}/data/c.hpp "// first line\nread(DUALAGENT_TEST_DATA);\n")
file(WRITE ${WORK}/data/d.hpp "#include \"support/e.hpp\"\n")
file(GLOB headers ${WORK}/data/*.hpp)
find_readers_of_data(regex ${headers})
foreach(line "support/a.hpp" "support/b.hpp" "support/c.hpp" "DUALAGENT_TEST_DATA")
  if(NOT line MATCHES "${regex}")
    message(FATAL_ERROR "reads_data.cmake: ${line} reads golden data, and is not found by ${regex}")
  endif()
endforeach()
if("support/d.hpp" MATCHES "${regex}")
  message(FATAL_ERROR "reads_data.cmake: d.hpp reads no golden data, and is found by ${regex}")
endif()
