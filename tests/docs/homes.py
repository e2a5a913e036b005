"""Where each block of the pages is tried.

Blocks of bash and Python run, page by page: those of `PURE` in the unit tests, those of `SERVED` beside a
real server in ``make test``, all others in ``make test-system`` (``tests/system/test_pages.py``). YAML is
read as a config. What is listed here is an exception, with its reason.
"""

from dataclasses import dataclass

from tests.docs.pages import Block, Page

PURE = ("docs/adding_a_family.md",)
SERVED = ("README.md", "docs/quickstart.md", "docs/api.md")
SERVER = "make serve\n"  # the block that starts the server beside which the others run


@dataclass(frozen=True)
class Exempt:
    """A block that no test runs: how it begins, and why. Its syntax, targets and options are still checked."""

    page: str
    begins: str
    reason: str

    def is_for(self, block: Block) -> bool:
        return block.page == self.page and block.text.startswith(self.begins)


NOT_RUN = (
    Exempt("README.md", "make test\n", "is what runs these"),
    Exempt(
        "docs/deploying.md",
        "docker build",
        "needs a CUDA base and a GPU; tests/system/container runs the file",
    ),
    Exempt("docs/deploying.md", "make container ", "needs root and builds for minutes; a job of its own"),
    Exempt("docs/deploying.md", "arr-coc deploy --project my-project\n", "would deploy; its dry run is run"),
    Exempt(
        "docs/deploying.md",
        "kubectl apply",
        "needs a cluster; its schema is checked in tests/serve_app/kuberay",
    ),
    Exempt("docs/how_it_works.md", "python -m load_tests.simulate", "simulates for many minutes"),
    Exempt("docs/measuring.md", "make bench", "takes half an hour, and installs the peers"),
    Exempt("docs/measuring.md", "make quality", "takes an hour"),
    Exempt("docs/measuring.md", "python -m arr_coc.quality --model", "needs a benchmark's data and a model"),
    Exempt("docs/measuring.md", "make load ", "minutes of load; tests/system/test_load.py runs a short one"),
    Exempt(
        "docs/models.md",
        "arr-coc calibrate MODEL_DIR",
        "needs a model; tests/arr_coc/calibrate fits a planted one",
    ),
    Exempt(
        "docs/operating.md", "prometheus --config", "does not end; tests/system/monitoring scrapes with one"
    ),
)
SHOWN = (
    Exempt("docs/how_it_works.md", "client -> ingress", "a drawing"),
    Exempt("docs/operating.md", "POST /vqa ", "the tree of spans, which tests/system/monitoring compares"),
)


def to_run(page: Page) -> list[Block]:
    """The blocks of ``page`` that run, in their order; the server's start aside."""
    runs = [block for block in page.blocks if block.language in ("bash", "python") and block.text != SERVER]
    return [block for block in runs if not exempt(block)]


def exempt(block: Block) -> bool:
    """Whether ``block`` is one of the exceptions."""
    return any(each.is_for(block) for each in (*NOT_RUN, *SHOWN))
