#!/usr/bin/python3
# SPDX-License-Identifier: EUPL-1.2
"""Plants each kind of violation and sees it found; a check that cannot fail proves nothing."""

import sys
import unittest

import bans
import layers
from sources import Source, without_comments

HEAD = "// SPDX-License-Identifier: EUPL-1.2\n"


def source(path, body):
    pragma = "#pragma once\n" if path.endswith(".h") else ""
    return Source(path, HEAD + pragma + body)


class Layers(unittest.TestCase):
    def found(self, path, include):
        return list(layers.violations([source(path, f"#include {include}\n")]))

    def test_arrows_never_turn_back(self):
        self.assertEqual(
            self.found("backend/wire/a.cc", '"backend/http/endpoint.h"'),
            ["backend/wire/a.cc:2: backend/wire may not include backend/http"
             " (backend/http/endpoint.h)"])
        self.assertTrue(self.found("harness/measure/a.cc", '"harness/record/run_writer.h"'))
        self.assertTrue(self.found("backend/process/a.cc", '"harness/base/random.h"'))
        self.assertFalse(self.found("backend/http/a.cc", '"backend/wire/sse_decoder.h"'))

    def test_the_mock_is_on_its_own_even_in_tests(self):
        self.assertTrue(self.found("mock_server/a_test.cc", '"backend/wire/sse_decoder.h"'))
        self.assertTrue(self.found("backend/wire/a_test.cc", '"mock_server/text.h"'))

    def test_third_party_headers_stay_at_home(self):
        self.assertTrue(self.found("backend/rocm/a.cc", "<boost/asio.hpp>"))
        self.assertTrue(self.found("harness/load/a.cc", "<nlohmann/json.hpp>"))
        self.assertFalse(self.found("backend/http/a.cc", "<boost/asio.hpp>"))

    def test_installed_headers_name_no_third_party(self):
        self.assertTrue(self.found("backend/model.h", "<boost/asio.hpp>"))
        self.assertFalse(self.found("backend/error.h", "<tl/expected.hpp>"))

    def test_a_new_room_must_be_declared(self):
        self.assertTrue(self.found("harness/cellar/a.cc", "<vector>"))


class Bans(unittest.TestCase):
    def found(self, path, body):
        return list(bans.violations([source(path, body)]))

    def test_each_ban_bites(self):
        for body in ("auto t = std::chrono::steady_clock::now();", "std::random_device r;",
                     "std::this_thread::sleep_for(1s);", "std::cout << 1;", "using namespace std;",
                     "int p = fork();", "waitpid(-1, 0, 0);", "usleep(5);"):
            self.assertTrue(self.found("harness/load/a.cc", body + "\n"), body)

    def test_homes_comments_and_strings_are_free(self):
        self.assertFalse(self.found("backend/base/clock.h", "x = steady_clock::now();"))
        self.assertFalse(self.found("harness/load/a.cc", "// std::cout << steady_clock::now()\n"))
        self.assertFalse(self.found("harness/load/a.cc", 'auto s = "std::cout";\n'))

    def test_licence_and_pragma(self):
        self.assertEqual(len(list(bans.violations([Source("backend/a.h", "int x;\n")]))), 2)

    def test_line_numbers_survive_blanking(self):
        self.assertEqual(without_comments("a /* b\nc */ d").count("\n"), 1)


if __name__ == "__main__":
    sys.exit(unittest.main())
