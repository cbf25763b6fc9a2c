"""What Vouchsafe decides and does: one package a flow, with Azure behind `shared.azure`."""
