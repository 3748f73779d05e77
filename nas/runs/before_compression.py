"""What a candidate reached before it was compressed."""

from nas.objective import Evaluation
from nas.runs.journal_format import Header


def before_compression(header: Header, evaluation: Evaluation) -> float | None:
    """The accuracy, or what the curve has instead, at the end of the first of the recipe's two phases;
    None where the journal does not say which epoch that was.
    """
    recipe = header["experiment"].get("recipe")
    first, second = (
        recipe.get(name) if isinstance(recipe, dict) else None
        for name in ("epochs", "finetune_epochs")
    )
    if not isinstance(first, int) or not isinstance(second, int) or not first > 0:
        return None
    if len(evaluation.history) != first + second or "epochs" in evaluation.design:
        return None
    return evaluation.history[first - 1].accuracy
