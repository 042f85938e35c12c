"""What tests hold the product against: models, plain readers, generators. None imports the product."""
