set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(nlohmann_json 3.10 QUIET)
if(NOT nlohmann_json_FOUND AND DUALAGENT_FETCH_DEPENDENCIES)
  include(FetchContent)
  FetchContent_Declare(nlohmann_json
    URL https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz
    URL_HASH SHA256=d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d)
  # Our export names nlohmann_json, so it is installed with us.
  set(JSON_Install ON CACHE BOOL "Install nlohmann_json" FORCE)
  FetchContent_MakeAvailable(nlohmann_json)
elseif(NOT nlohmann_json_FOUND)
  message(FATAL_ERROR
    "nlohmann_json 3.10 or newer is missing. Install it (Debian, Ubuntu: apt-get install "
    "nlohmann-json3-dev) or configure with -DDUALAGENT_FETCH_DEPENDENCIES=ON.")
endif()
