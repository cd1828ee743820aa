// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <string>
#include <vector>

#include "harness/scenario/scenario.h"

namespace harness {

// One point of a sweep: the scenario with the values put in and no sweep left.
struct Variant {
  std::string name;  // "concurrency=4,slots=2"; empty when nothing is swept
  Scenario scenario;
  // The same without the axis that climbs until the server is saturated: one climb's name.
  std::string climb;
  std::vector<double> values;  // in the order of the axes; of words their number, from 0
  // False when its server settings equal those of the variant before: the server can go on.
  bool new_server = true;
};

// Every combination, the last axis turning fastest, but axes that need a new server turning
// slowest, so that servers start as seldom as possible.
[[nodiscard]] std::vector<Variant> Expand(const Scenario& scenario);

}  // namespace harness
