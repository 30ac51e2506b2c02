#pragma once

#include <cstdint>

namespace thrust {

template <class In, class Map>
struct transform_iterator {
  In in;
  Map map;
  auto operator[](std::int64_t i) const { return map(in[i]); }
};
template <class In, class Map>
transform_iterator<In, Map> make_transform_iterator(In in, Map map) {
  return {in, map};
}

}  // namespace thrust
