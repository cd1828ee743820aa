# SPDX-License-Identifier: EUPL-1.2
"""The cumulative log: appended, never rewritten; open questions carried on. What changed."""

import conftest
import pytest
import report
from rocm_reports import cumulative_log, fingerprint, run_file

OLD = """# Our log

QUESTION: before any section?

## 2026-01-01: by hand

QUESTION: does flash attention pay at 32k?
- QUESTION: <script>alert(1)</script>?
ANSWERED: is the card idle? Yes.

```sh
QUESTION: in a block, no question
```
no newline at the end"""


@pytest.fixture()
def nights(tmp_path):
    def edit(night, lines):
        if night == 2:
            lines[0]["fingerprint"]["covariates"]["kernel"] = "6.99"
            lines[0]["scenarios"][0]["server"] = {"flash_attention": "on"}
        else:
            lines[0]["scenarios"][0]["server"] = {"flash_attention": "off"}

    return conftest.make_nights(tmp_path / "runs", 3, edit)


def append(log, *arguments):
    assert report.main([*map(str, arguments), "--append", str(log)]) == 0
    return log.read_text()


def test_a_section_is_appended_and_the_old_text_kept(nights, tmp_path):
    log = tmp_path / "LOG.md"
    log.write_text(OLD)
    out = append(log, nights[0])
    assert out.startswith(OLD + "\n\n## 2026-01-01: ")
    section = out[len(OLD):]
    assert "### Open questions\n\n- of the beginning: before any section?\n" in section
    assert "- of 2026-01-01: does flash attention pay at 32k?" in section
    assert "&lt;script&gt;" in section and "ANSWERED" not in section and "in a block" not in section
    assert run_file.read_run(nights[0]).sha256 in section
    # The list is no new question.
    assert len(cumulative_log.open_questions(out)) == 3


def test_each_night_once(nights, tmp_path, capsys):
    log = tmp_path / "LOG.md"
    first = append(log, nights[0])
    assert append(log, nights[0]) == first
    assert "has these runs already" in capsys.readouterr().err
    second = append(log, nights[1])
    assert second.startswith(first) and second.count("\n## 2026-01-0") == 2


def test_titles(nights, tmp_path):
    assert "## 2026-01-02: A *night*\n".replace("*", "&#42;") in append(
        tmp_path / "a.md", nights[1], "--title", "A *night*")
    out = append(tmp_path / "b.md", nights[1])
    title = next(x for x in out.splitlines() if x.startswith("## "))
    assert title.endswith("scenarios/suites/nightly.txt on mock")


def test_pictures_are_found_from_the_log(small, tmp_path):
    log = tmp_path / "logs/LOG.md"
    out = append(log, small, "--out", tmp_path / "plots")
    pictures = [x.split("](")[1].rstrip(")") for x in out.splitlines() if x.startswith("![")]
    assert pictures and all((log.parent / p).is_file() for p in pictures)


def test_what_changed_is_told(nights, tmp_path):
    def changed(run):
        report.main([str(run), "--out", str(tmp_path / "out"), "--no-plots"])
        text = (tmp_path / "out/FINDINGS.md").read_text()
        return text.split("### What changed")[1].split("### Setup")[0]

    assert "No earlier run" in changed(nights[0])
    second = changed(nights[1])
    assert "| environment | server&#95;build | b1000 | b1001 |" in second.replace("_", "&#95;")
    assert "kernel" not in second and "flash" not in second
    third = changed(nights[2])
    assert "| 6.99 |" in third and "| settings | " in third and "| off | on |" in third


def test_the_run_before_is_the_newest_whole_one(nights):
    third = run_file.read_run(nights[2])
    assert run_file.run_before(third).run_id == run_file.read_run(nights[1]).run_id
    # Cut off: it says nothing about its setup that could be relied on.
    nights[1].write_bytes(nights[1].read_bytes().rsplit(b"\n", 2)[0])
    assert run_file.run_before(third).run_id == run_file.read_run(nights[0]).run_id
    lines = conftest.lines_of(nights[0])
    lines[0]["suite"] = "another"
    conftest.write_lines(nights[0], lines)
    assert run_file.run_before(third) is None


def test_identity_and_settings_are_told_apart(nights):
    old, new = (run_file.read_run(p) for p in nights[:2])
    assert set(fingerprint.changes(old, new)) == {"environment"}
    new.header["fingerprint"]["identity"]["cpu"]["model"] = "another"
    assert fingerprint.changes(old, new)["identity"][0][0] == "cpu.model"
    assert fingerprint.changes(old, old) == {}
