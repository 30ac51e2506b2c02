# add_two_jobs(TARGET): the program, for this folder and for its test. What it needs and is not there is named in
# two_jobs_missing.
set(two_jobs_missing "")
foreach(needed http:libcurl http_server:cpp-httplib sqlite:SQLite)
  string(REPLACE ":" ";" needed ${needed})
  list(GET needed 0 target)
  list(GET needed 1 package)
  if(NOT TARGET dualagent::${target})
    list(APPEND two_jobs_missing ${package})
  endif()
endforeach()

function(add_two_jobs_program target)  # and its sources
  add_executable(${target} EXCLUDE_FROM_ALL ${ARGN})
  target_link_libraries(${target} PRIVATE
    dualagent_own dualagent::compiled dualagent::http dualagent::http_server dualagent::sqlite)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/examples)
endfunction()

function(add_two_jobs target)
  set(folder ${PROJECT_SOURCE_DIR}/examples/two_jobs)
  add_two_jobs_program(${target} ${folder}/main.cpp ${folder}/roles.cpp)
endfunction()
