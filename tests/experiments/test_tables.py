"""The tables: which figure stands where, spread over seeds, and whether the order is the paper's."""

from typing import Any

from sean.experiments.paper import TABLE_1, TABLE_2, TABLE_3, kind_of
from sean.experiments.tables import ABLATION, edit_table, table_1, table_2, table_3
from sean.training.methods import METHODS


def scores(ssim: float, rmse: float, psnr: float, fid: float = 1.0) -> dict[str, Any]:
    return {
        "reconstruction": {"ssim": ssim, "rmse": rmse, "psnr": psnr, "psnr_of_flat_colors": 12.5},
        "segmentation": {"segmenter": "parser p", "miou": ssim / 2, "accuracy": ssim},
        "distances": {
            **{"extractor": "parser p", "dim": 192, "pictures": 9, "training_pictures": 80},
            **{"fid": fid, "kid": fid / 100, "notes": ["a note"]},
        },
    }


def results(**methods: list[dict[str, Any]]) -> dict[str, Any]:
    runs = {
        name.replace("_", "-"): {"parameters": 7_600_000, "seeds": {str(n): s for n, s in enumerate(seeds)}}
        for name, seeds in methods.items()
    }
    return {"real": scores(0.9, 0.0, 99.0, 0.5), "runs": runs}


PAPERS_ORDER = results(
    spade=[scores(0.5, 0.2, 14.0, 3.0)],
    sean=[scores(0.7, 0.1, 18.0, 2.0), scores(0.74, 0.12, 19.0, 2.5)],
    pix2pixhd=[scores(0.6, 0.15, 16.0, 4.0)],
)


def test_reconstruction_beside_the_papers_rows() -> None:
    table = table_1("celebamask_mini", PAPERS_ORDER)
    assert list(table.headings) == ["", "parameters", "SSIM ↑", "RMSE ↓", "PSNR, dB ↑", "the paper, CelebAMask-HQ"]
    assert list(table.rows) == [
        ["Pix2PixHD", "7.6 M", "0.600", "0.150", "16.00", "0.68 / 0.15 / 17.14"],
        ["SPADE, with VAE", "7.6 M", "0.500", "0.200", "14.00", "0.63 / 0.21 / 14.3"],
        ["SEAN, unified encoder", "7.6 M", "0.720 ± 0.020", "0.110 ± 0.010", "18.50 ± 0.50", "0.73 / 0.12 / 18.74"],
    ]
    assert table.notes[0].endswith("12.50 dB.")
    assert table.notes[1] == " ".join(
        f"{metric}: 3 of 3 pairs of methods stand as in the paper." for metric in ("SSIM", "RMSE", "PSNR")
    )


def test_another_order_is_told() -> None:
    other = results(sean=[scores(0.5, 0.1, 15.0)], spade=[scores(0.6, 0.2, 14.0)], pix2pixhd=[scores(0.4, 0.3, 15.5)])
    note = table_1("celebamask_mini", other).notes[1]
    assert note == (
        "SSIM: 1 of 3 pairs of methods stand as in the paper; not so SPADE, with VAE over Pix2PixHD; SPADE, with VAE "
        "over SEAN, unified encoder. RMSE: 2 of 3 pairs of methods stand as in the paper; not so SPADE, with VAE over "
        "Pix2PixHD. PSNR: 2 of 3 pairs of methods stand as in the paper; not so Pix2PixHD over SEAN, unified encoder."
    )


def test_data_that_the_paper_does_not_have() -> None:
    table = table_1("birds", PAPERS_ORDER)
    assert "the paper" not in " ".join(table.headings) and len(table.rows[0]) == len(table.headings) == 5
    assert len(table.notes) == 1


def test_semantics_with_the_real_pictures() -> None:
    table = table_2("cmp_facades", PAPERS_ORDER)
    assert table.rows[0] == ["real pictures", "", "45.0", "90.0", "0.50", "0.0050", "– / – / 14.4"]
    assert table.rows[3] == [
        *("SEAN, unified encoder", "7.6 M", "36.0 ± 1.0", "72.0 ± 2.0", "2.25 ± 0.25", "0.0225 ± 0.0025"),
        "– / – / 19.82",
    ]
    assert "9 held-out pictures" in table.notes[0] and "80 real training pictures" in table.notes[0]
    assert table.notes[1] == "a note"
    # the paper has no mIoU for facades; here FIDs are 2.25, 3 and 4 for SEAN, SPADE and Pix2PixHD
    assert table.notes[2] == (
        "FID: 2 of 3 pairs of methods stand as in the paper; not so SPADE, with VAE over Pix2PixHD."
    )


def test_the_ablation_has_the_papers_eight_rows_in_its_order_and_ours() -> None:
    table = table_3("celebamask_mini", results(**{m.replace("-", "_"): [scores(0.5, 0.5, 5.0)] for m in ABLATION}))
    assert [row[0] for row in table.rows] == [METHODS[method][0] for method in ABLATION]
    assert len(table.rows) == 9
    assert table.rows[-1][0] == "SEAN, colour-keeping encoder" and table.rows[-1][-1] == "–"
    assert list(table.headings[-3:]) == ["FID ↓", "KID ↓", "the paper, CelebAMask-HQ"]
    assert table.rows[0][-3:-1] == ["1.00", "0.0100"]
    # all are equal here; of the paper's 28 pairs three have one SSIM (0.72) and two one RMSE (0.12, 0.13)
    begin = "SSIM: 0 of 25 pairs of methods stand as in the paper. RMSE: 0 of 26 pairs of methods stand as in"
    assert table.notes[-1].startswith(begin)
    assert table.rows[5][-1] == "0.73 / 0.12 / 18.74 / 17.66"


def test_markdown() -> None:
    lines = table_1("birds", PAPERS_ORDER).as_markdown().splitlines()
    assert lines[:4] == [
        "**Table 1, reconstruction, birds**",
        "",
        "|  | parameters | SSIM ↑ | RMSE ↓ | PSNR, dB ↑ |",
        "| --- | --- | --- | --- | --- |",
    ]
    assert {line.count("|") for line in lines[2:7]} == {6}


def test_the_edit_benchmarks_table() -> None:
    seed = {"inside": 0.1, "outside": 0.2, "leakage": 0.01, "inside_before": 0.3}
    other = {**seed, "inside": 0.2}
    table = edit_table(
        {"pairs": 4, "edits": 20, "names": {"sean": "SEAN"}, "methods": {"sean": {"0": seed, "1": other}}}
    )
    assert list(table.rows) == [["SEAN", "0.1500 ± 0.0500", "0.2000 ± 0.0000", "0.0100 ± 0.0000", "0.3000 ± 0.0000"]]
    assert "20 exchanges" in table.notes[0] and "4 pairs" in table.notes[0]


def test_the_papers_numbers() -> None:
    """Some of them, as printed in the paper, and that the tables are complete."""
    assert TABLE_1["Facades"]["sean"] == (0.58, 0.14, 17.14)
    assert TABLE_2["Cityscapes"]["spade"] == (56.01, 93.13, 60.51)
    assert TABLE_3["CelebAMask-HQ"]["sean-norm-encoders"] == (0.74, 0.11, 19.70, 18.17)
    assert all(len(row) == 3 for table in (TABLE_1, TABLE_2) for rows in table.values() for row in rows.values())
    for method in ("sean", "spade", "pix2pixhd"):
        assert TABLE_3["CelebAMask-HQ"][method][:3] == TABLE_1["CelebAMask-HQ"][method]
        assert TABLE_3["CelebAMask-HQ"][method][3] == TABLE_2["CelebAMask-HQ"][method][2]
    kinds = {
        "celebamask_mini": "CelebAMask-HQ",
        "cmp_facades": "Facades",
        "camvid": "Cityscapes",
        "ccp": "ADE20K",
        "birds": None,
    }
    assert {name: kind_of(name) for name in kinds} == kinds
