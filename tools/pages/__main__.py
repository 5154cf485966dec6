"""Write every generated file: `python -m tools.pages`, as `make docs` does."""

from .generated import write_all

if __name__ == "__main__":
    write_all()
