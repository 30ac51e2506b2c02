#include "dualagent/core/sha256.hpp"

#include <string>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("SHA-256 gives the digests of NIST's examples", "[core]") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
                   "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu") ==
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  CHECK(sha256_hex(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Python 3.11: hashlib.sha256(bytes(i * 7 % 256 for i in range(n))).hexdigest()
TEST_CASE("SHA-256 pads texts that end beside the end of a block", "[core]") {
  const auto digest_of = [](std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(i * 7 % 256);
    return sha256_hex(text);
  };
  CHECK(digest_of(55) == "576a1bf8d4478657e6dc4af9398544765c2a92cde28478b019235cfed315fc09");
  CHECK(digest_of(56) == "9b20501dfd1d99161c257950f3444f3e49230c351c5c8e0943ef369f85f5205d");
  CHECK(digest_of(63) == "30b345906b493f06f69444b6521113511c242f30e29840462950035043682f1e");
  CHECK(digest_of(64) == "d8bc63b4fc1156e5e7d95a418b9bf54cd3174bedbc2db40f74895349b229b3c0");
  CHECK(digest_of(65) == "1ee23b0fbcaecc1aff4a9e8f1645f35ab2c8e13609cd73b68df8b5e3f63ce073");
  CHECK(digest_of(119) == "7a6589821178918ca8d9edaba5abfc1e9b2669564f4469b66885379c1530b2c8");
  CHECK(digest_of(120) == "655250427d56b1b0eeb8497d21428704273458a01772d6881b65c0abac0f8a98");
  CHECK(digest_of(128) == "54c9eb041badfd7064645067b107661fed6113197ce2dd066ba69618abd3732f");
}
