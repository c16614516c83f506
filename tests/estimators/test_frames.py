"""Frames of pandas, polars and pyarrow: names are kept and checked, columns of text refused."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from chainrule.estimators import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
COLUMNS = {"size": rng.random(20), "age": rng.integers(0, 90, 20), "rooms": rng.random(20)}
LABELS = np.where(COLUMNS["size"] > 0.5, "large", "small")
SMALL = {"hidden_layer_sizes": 3, "max_iter": 4, "random_state": 0}
MAKERS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


def test_a_frame_is_fitted_as_its_numbers_are(make):
    plain = MLPClassifier(**SMALL).fit(np.column_stack(list(COLUMNS.values())), LABELS)
    model = MLPClassifier(**SMALL).fit(make(COLUMNS), make({"y": LABELS})["y"])
    assert model.loss_curve_ == plain.loss_curve_
    assert list(model.feature_names_in_) == ["size", "age", "rooms"]
    assert list(model.predict(make(COLUMNS))) == list(
        plain.predict(np.column_stack(list(COLUMNS.values())))
    )


def test_names_are_checked(make):
    model = MLPRegressor(**SMALL).fit(make(COLUMNS), np.arange(20.0))
    other = {name: COLUMNS[name] for name in ("age", "size", "rooms")}
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(make(other))


def test_columns_of_text_are_named(make):
    columns = {**COLUMNS, "city": ["Lyon"] * 20}
    for fit in (MLPClassifier().fit, MLPRegressor().fit):
        with pytest.raises(ValueError, match="column 'city' of X holds no numbers"):
            fit(make(columns), np.arange(20) % 2)
