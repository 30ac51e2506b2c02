# Fails when an include points up a floor, when a folder has no floor, or when the umbrella misses a
# header or has one that not everybody can compile. Usage: cmake -DROOT=PROJECT -P
# check_floors.cmake. The floors are those of docs/architecture.md.
set(floor_kernels 0)
set(floor_cpu 0)
set(floor_loops 0)
set(floor_core 1)
foreach(folder io net trace data text)  # text writes the tasks of data in tokens
  set(floor_${folder} 2)
endforeach()
foreach(folder model engine optim tools summary reward objective collective)
  set(floor_${folder} 3)
endforeach()
set(floor_rollout 4)
set(floor_store 4)
set(floor_cuda 4)  # may use floors 0 to 3; nothing but users includes it
foreach(folder train report service)
  set(floor_${folder} 5)
endforeach()

# Headers that need an optional dependency, most of these folders libcurl or cpp-httplib; the umbrella must not
# name them.
file(GLOB http RELATIVE ${ROOT}/include ${ROOT}/include/dualagent/engine/*.hpp ${ROOT}/include/dualagent/net/*.hpp
     ${ROOT}/include/dualagent/service/*.hpp)
file(GLOB sqlite RELATIVE ${ROOT}/include ${ROOT}/include/dualagent/store/sqlite_*.hpp)
set(outside_umbrella ${http} ${sqlite}
    dualagent/model/eigen_view.hpp dualagent/optim/muon.hpp dualagent/text/pcre2_expression.hpp
    dualagent/collective/mpi.hpp dualagent/collective/shared_memory_and_mpi.hpp)

set(errors "")
file(GLOB_RECURSE headers RELATIVE ${ROOT} ${ROOT}/include/*.hpp ${ROOT}/kernels_inl/*.inl
     ${ROOT}/kernels_inl/*.cuh)
file(STRINGS ${ROOT}/include/dualagent/dualagent.hpp umbrella REGEX "^#include")

function(floor_of path result)
  string(REGEX REPLACE "^.*dualagent/([a-z_]+)/[^/]+$" "\\1" folder ${path})
  set(${result} "${floor_${folder}}" PARENT_SCOPE)
endfunction()

foreach(header IN LISTS headers)
  if(header MATCHES "dualagent/dualagent.hpp$")
    continue()
  endif()
  floor_of(${header} own)
  if(own STREQUAL "")
    list(APPEND errors "${header}: its folder has no floor; add it to tests/floors/check_floors.cmake")
    continue()
  endif()
  file(STRINGS ${ROOT}/${header} includes REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"]dualagent/")
  foreach(line IN LISTS includes)
    string(REGEX REPLACE "^[^<\"]*[<\"]([^>\"]+).*" "\\1" target "${line}")
    floor_of(${target} other)
    if(other STREQUAL "" OR other GREATER own)
      list(APPEND errors "${header} (floor ${own}) includes ${target} (floor ${other})")
    endif()
  endforeach()
  if(header MATCHES "^include/")
    string(REGEX REPLACE "^include/" "" name ${header})
    list(FIND umbrella "#include \"${name}\"" at)
    list(FIND outside_umbrella ${name} outside)
    if(NOT outside EQUAL -1)
      if(NOT at EQUAL -1)
        list(APPEND errors "${header} needs an optional dependency but is in the umbrella")
      endif()
    elseif(at EQUAL -1)
      list(APPEND errors "${header} is missing in include/dualagent/dualagent.hpp")
    endif()
  endif()
endforeach()

if(errors)
  list(JOIN errors "\n  " text)
  message(FATAL_ERROR "floors:\n  ${text}")
endif()
list(LENGTH headers count)
message(STATUS "${count} headers stand on their floors")
