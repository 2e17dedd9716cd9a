"""What the lessons share and is no architecture: environment check, presets, training, measuring, pictures, explorers."""
