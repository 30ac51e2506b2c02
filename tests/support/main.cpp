// Catch2's own main, for v2 and v3; compiled once per test executable.
#if __has_include(<catch2/catch_session.hpp>) && !defined(DUALAGENT_CATCH2_V2)
#include <catch2/catch_session.hpp>
int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }
#else
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
