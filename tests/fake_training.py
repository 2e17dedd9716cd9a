"""A training without a network, for what is shown of one. Imports no torch, so that a notebook can run it at once."""

from types import SimpleNamespace as Facts


def a_training(progress, verbose, epochs=3, batches=12, seconds=1.0):
    """What is shown during a training whose batches take `seconds` each."""
    trainer = Facts(train_loader=range(batches), epochs=epochs, start_epoch=0, epoch=0, tloss=None)
    trainer.label_loss_items = lambda loss: {"train/box": 2.0}
    trainer.metrics = {f"metrics/{key}(B)": 0.5 for key in ("precision", "recall", "mAP50", "mAP50-95")}
    clock = [0.0]
    progress.time = Facts(perf_counter=lambda: clock[0])
    with progress.Progress(verbose) as shown:
        shown.start(trainer)
        for trainer.epoch in range(epochs):
            for _ in range(batches):
                clock[0] += seconds
                shown.batch(trainer)
            clock[0] += 5 * batches * seconds * (trainer.epoch == 0)  # the first epoch validates
            shown.epoch(trainer)
