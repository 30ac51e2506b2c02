#include "dualagent/io/safetensors_format.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("element types have the format's names and sizes", "[io][safetensors]") {
  // Source: https://github.com/huggingface/safetensors, tensor.rs.
  const struct {
    DType dtype;
    std::string name;
    std::size_t bytes;
  } types[] = {{DType::boolean, "BOOL", 1},    {DType::u8, "U8", 1},
               {DType::i8, "I8", 1},           {DType::f8_e5m2, "F8_E5M2", 1},
               {DType::f8_e4m3, "F8_E4M3", 1}, {DType::f8_e8m0, "F8_E8M0", 1},
               {DType::i16, "I16", 2},         {DType::u16, "U16", 2},
               {DType::f16, "F16", 2},         {DType::bf16, "BF16", 2},
               {DType::i32, "I32", 4},         {DType::u32, "U32", 4},
               {DType::f32, "F32", 4},         {DType::c64, "C64", 8},
               {DType::f64, "F64", 8},         {DType::i64, "I64", 8},
               {DType::u64, "U64", 8}};
  for (const auto& type : types) {
    CHECK(to_string(type.dtype) == type.name);
    CHECK(size_bytes(type.dtype) == type.bytes);
    CHECK(parse_dtype(type.name) == type.dtype);
  }
  for (const char* name : {"", "f32", "F32 ", "F", "F4", "BF160"}) CHECK_FALSE(parse_dtype(name));
}

TEST_CASE("a C++ type has the element type of its size and kind", "[io][safetensors]") {
  CHECK(dtype_of<float>() == DType::f32);
  CHECK(dtype_of<double>() == DType::f64);
  CHECK(dtype_of<std::uint8_t>() == DType::u8);
  CHECK(dtype_of<std::int32_t>() == DType::i32);
  CHECK(dtype_of<std::int64_t>() == DType::i64);
  CHECK(dtype_of<std::uint64_t>() == DType::u64);
  CHECK_FALSE(TensorScalar<const float>);
  CHECK_FALSE(TensorScalar<bool>);
  CHECK_FALSE(TensorScalar<std::int16_t>);
}

TEST_CASE("shapes are written for people", "[io][safetensors]") {
  CHECK(shape_to_string({}) == "[]");
  CHECK(shape_to_string(std::vector<std::size_t>{7}) == "[7]");
  CHECK(shape_to_string(std::vector<std::size_t>{2, 0, 3}) == "[2, 0, 3]");
}

TEST_CASE("the size of a shape is exact or nothing", "[io][safetensors]") {
  using Shape = std::vector<std::size_t>;
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  CHECK(detail::checked_product({}, 4) == 4u);
  CHECK(detail::checked_product(Shape{2, 3}, 4) == 24u);
  CHECK(detail::checked_product(Shape{kMost}, 1) == kMost);
  CHECK_FALSE(detail::checked_product(Shape{kMost / 2 + 1}, 2));
  CHECK_FALSE(detail::checked_product(Shape{std::size_t{1} << 32, std::size_t{1} << 32}, 1));
  // A zero does not hide that the product before it was too large.
  CHECK_FALSE(detail::checked_product(Shape{kMost, 2, 0}, 1));
  CHECK(detail::checked_product(Shape{0, kMost, 2}, 1) == 0u);
}
