# Configures, builds and runs the consumer that uses the library in this WAY.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT code EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command} failed:\n${text}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
if(WAY STREQUAL "find_package")
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
  # A fetched nlohmann_json is installed in the same prefix.
  list(FILTER JSON INCLUDE REGEX "nlohmann_json_DIR")
  set(extra -DCMAKE_PREFIX_PATH=${WORK}/prefix)
  # The project that the tutorial shows.
  set(source ${WORK}/source)
  set(program my_trainer)
  configure_file(${SNIPPETS}/tutorial/6-in-a-project-of-your-own.inc ${source}/CMakeLists.txt COPYONLY)
  configure_file(${ROOT}/tests/package/consumer.cpp ${source}/main.cpp COPYONLY)
else()
  set(extra -DDUALAGENT_SOURCE=${ROOT} -DDUALAGENT_WERROR=${WERROR})
  set(source ${ROOT}/tests/package/${WAY})
  set(program consumer)
endif()
run(${CMAKE_COMMAND} -S ${source} -B ${WORK}/build -G ${GENERATOR}
    -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_BUILD_TYPE=Release ${extra} ${JSON})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/${program})
