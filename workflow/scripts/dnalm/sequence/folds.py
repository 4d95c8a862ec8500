"""Leave-one-group-out folds: every genome is held out in one of them."""

import pandas as pd


def held_out_rows(tables: dict[str, pd.DataFrame], splits: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Rows of tables with a column ``genome`` that speak of the genomes which their fold tests.

    Parameters
    ----------
    tables, splits : dict of fold to DataFrame
        Any table of every fold, and its splits.
    """
    parts = []
    for fold, table in tables.items():
        held_out = splits[fold].loc[splits[fold]["split"] == "test", "genome"]
        parts.append(table[table["genome"].isin(set(held_out))])
    return pd.concat(parts, ignore_index=True)
