.DEFAULT_GOAL := help
.PHONY: help install quick test lint format types mutants figures site clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install:  ## install npcam for working on it, with everything the tests need
	python -m pip install --editable '.[dev]'

quick:  ## run the tests that take no Keras and no patience
	python -m pytest -m 'not slow'

test:  ## run the tests, doctests included
	python -m pytest

lint:  ## look for mistakes and unformatted files
	ruff check .
	ruff format --check .

format:  ## format and sort imports
	ruff check --fix .
	ruff format .

types:  ## check the types
	mypy

mutants:  ## change the code a little, here and there: do the tests notice? ONLY='npcam.cam.*' for one module
	mutmut run $(if $(ONLY),'$(ONLY)')
	mutmut results | grep -v 'not checked' || true

figures:  ## draw the pictures in the README and the docs anew
	python examples/gallery.py docs

site:  ## make the lesson, the pages and the API into build/site, to be opened from disk
	python -m sphinx -W --keep-going -q -b html -d build/doctrees docs build/site
	python tools/check_site.py build/site

clean:  ## remove what building and testing left
	rm -rf build dist mutants docs/chapters *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
